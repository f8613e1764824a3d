//! `sidetone schema`: the JSON Schema of plans, or of scenarios, for editors.

use std::process::ExitCode;

use crate::dialplan::schema;

/// Arguments of `sidetone schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The schema of scenarios instead of plans.
    #[arg(long)]
    scenario: bool,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    println!("{:#}", if args.scenario { schema::scenario_schema() } else { schema::plan_schema() });
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use crate::dialplan::schema::{as_json as read, plan_schema, scenario_schema};

    /// The parts of draft 7 that the schemas use; a keyword that is not known here fails the test.
    fn valid(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
        let Some(rules) = schema.as_object() else { return Ok(()) };
        for (keyword, rule) in rules {
            let holds = match keyword.as_str() {
                "$schema" | "title" | "description" | "definitions" | "properties" => true,
                "$ref" => {
                    let name = rule.as_str().unwrap().strip_prefix("#/definitions/").unwrap();
                    let target = root["definitions"].get(name).unwrap_or_else(|| panic!("no definition {name}"));
                    return valid(root, target, value);
                }
                "type" => {
                    let is = |kind: &Value| match kind.as_str().unwrap() {
                        "object" => value.is_object(),
                        "array" => value.is_array(),
                        "string" => value.is_string(),
                        "number" => value.is_number(),
                        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
                        "boolean" => value.is_boolean(),
                        "null" => value.is_null(),
                        other => panic!("no type {other}"),
                    };
                    rule.as_array().map_or_else(|| is(rule), |kinds| kinds.iter().any(is))
                }
                "enum" => rule.as_array().unwrap().contains(value),
                "required" => rule.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
                "minProperties" => value.as_object().is_some_and(|map| !map.is_empty()),
                "minimum" => value.as_f64() >= rule.as_f64(),
                "maximum" => value.as_f64() <= rule.as_f64(),
                "pattern" => value.as_str().is_none_or(|text| {
                    text.trim_end_matches(['m', 's']).trim().parse::<f64>().is_ok() && text.ends_with(['m', 's'])
                }),
                "anyOf" => rule.as_array().unwrap().iter().any(|schema| valid(root, schema, value).is_ok()),
                "allOf" => rule.as_array().unwrap().iter().all(|schema| valid(root, schema, value).is_ok()),
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        valid(root, rule, item)?;
                    }
                    true
                }
                "additionalProperties" => {
                    let known = rules.get("properties").and_then(Value::as_object);
                    for (key, value) in value.as_object().into_iter().flatten() {
                        if known.is_some_and(|known| known.contains_key(key)) {
                            continue;
                        }
                        if *rule == Value::Bool(false) {
                            return Err(format!("{key} is not known"));
                        }
                        valid(root, rule, value)?;
                    }
                    true
                }
                other => panic!("the schema uses `{other}`, which no test understands"),
            };
            if !holds {
                return Err(format!("{keyword}: {rule} does not hold of {value}"));
            }
        }
        for (key, schema) in rules.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if let Some(value) = value.get(key) {
                valid(root, schema, value).map_err(|why| format!("{key}: {why}"))?;
            }
        }
        Ok(())
    }

    #[test]
    fn every_example_and_scenario_of_the_project_is_valid() {
        let dialplans = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans");
        let (plan, scenario) = (plan_schema(), scenario_schema());
        let mut counted = (0, 0);
        let check = |schema: &Value, file: &Path| {
            let text = std::fs::read_to_string(file).unwrap();
            valid(schema, schema, &read(&text)).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        };
        for folder in
            std::fs::read_dir(dialplans).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
        {
            check(&plan, &folder.join("dialplan.yaml"));
            counted.0 += 1;
            for file in
                std::fs::read_dir(folder.join("scenarios")).into_iter().flatten().map(|entry| entry.unwrap().path())
            {
                if file.extension().is_some_and(|extension| extension == "yaml") {
                    check(&scenario, &file);
                    counted.1 += 1;
                }
            }
        }
        assert!(counted.0 >= 3 && counted.1 >= 20, "{counted:?}");
        let template = read(include_str!("new/dialplan.yaml"));
        valid(&plan, &plan, &template).unwrap();
    }

    #[test]
    fn what_the_reader_refuses_the_schema_refuses() {
        let schema = plan_schema();
        let wrong = |source: &str| valid(&schema, &schema, &read(source)).is_err();
        let plan = "dialplan: x\nstart: a\nstates:\n  a:\n    steps:\n      - say: Hello.\n      - end:\n";
        assert!(!wrong(plan));
        for (right, mistaken) in [
            ("say: Hello.", "sey: Hello."),
            ("say: Hello.", "{say: Hello., tries: 3}"),
            ("say: Hello.", "{say: Hello., interruptible: maybe}"),
            ("say: Hello.", "{listen: Hello., timeout: soon}"),
            ("start: a\n", ""),
            ("steps:", "stops:"),
        ] {
            assert!(wrong(&plan.replace(right, mistaken)), "{mistaken}");
        }
    }
}
