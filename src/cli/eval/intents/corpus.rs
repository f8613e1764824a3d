//! Labelled sentences from CSV files (RFC 4180).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};

/// The label of sentences that no intent is meant by.
pub(super) const OUT_OF_SCOPE: &str = "oos";

/// Sentences and the indices of their labels.
#[derive(Debug, Clone, Default)]
pub(super) struct Corpus {
    pub(super) labels: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// A sentence.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) text: String,
    /// Index of its label; `None` is out of scope.
    pub(super) label: Option<usize>,
}

impl Corpus {
    /// Reads a file with the headers `text,label` or `text,category`, in any order and among others. Labels of `known`
    /// keep their indices.
    pub(super) fn read(path: &Path, known: &[String]) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text, known).with_context(|| path.display().to_string())
    }

    fn parse(text: &str, known: &[String]) -> anyhow::Result<Self> {
        let mut records = records(text.trim_start_matches('\u{feff}')).into_iter();
        let header = records.next().context("the file is empty")?;
        let column = |names: &[&str]| header.iter().position(|h| names.contains(&h.trim().to_lowercase().as_str()));
        let sentence = column(&["text"]).context("no column `text` in the header")?;
        let label = column(&["label", "category"]).context("no column `label` or `category` in the header")?;
        let mut labels = known.to_vec();
        let mut index: BTreeMap<String, usize> = labels.iter().cloned().zip(0..).collect();
        let mut rows = Vec::new();
        for (number, record) in records.enumerate() {
            let field = |at: usize| record.get(at).map(|field| field.trim()).filter(|field| !field.is_empty());
            let (Some(text), Some(name)) = (field(sentence), field(label)) else {
                anyhow::bail!("record {} has no text or no label", number + 2);
            };
            let label = (name != OUT_OF_SCOPE).then(|| {
                *index.entry(name.to_string()).or_insert_with(|| {
                    labels.push(name.to_string());
                    labels.len() - 1
                })
            });
            rows.push(Row { text: text.to_string(), label });
        }
        ensure!(!rows.is_empty(), "the file holds no sentence");
        Ok(Self { labels, rows })
    }
}

/// Splits into records and fields; quoted fields may hold commas, doubled quotes and line ends. Blank lines are skipped.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    let mut record = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let starts = record.last().is_none_or(String::is_empty);
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                push(&mut record, '"');
            }
            '"' if quoted || starts => quoted = !quoted,
            ',' if !quoted => record.push(String::new()),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => out.push(std::mem::replace(&mut record, vec![String::new()])),
            c => push(&mut record, c),
        }
    }
    out.push(record);
    out.retain(|record| record.len() > 1 || record.iter().any(|field| !field.trim().is_empty()));
    out
}

fn push(record: &mut [String], c: char) {
    if let Some(field) = record.last_mut() {
        field.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_read() {
        let rows = [
            ("a,b\n1,2\n", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("\"x, \"\"y\"\"\nz\",2\r\n\r\nlast,", vec![vec!["x, \"y\"\nz", "2"], vec!["last", ""]]),
            ("say \"hi\",1", vec![vec!["say \"hi\"", "1"]]),
            ("", vec![]),
        ];
        for (text, expected) in rows {
            assert_eq!(records(text), expected, "{text}");
        }
    }

    #[test]
    fn labels_keep_the_order_of_the_training_file() {
        let train = Corpus::parse("text,label\nhello,greet\nbye,leave\nblah,oos\n", &[]).expect("a corpus");
        let test = Corpus::parse("category,text\nleave,see you\nother,x\n", &train.labels).expect("a corpus");
        assert_eq!(test.labels, ["greet", "leave", "other"]);
        assert_eq!(train.rows[2].label, None);
        assert_eq!(test.rows[0].label, Some(1));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        for (text, expected) in [
            ("", "empty"),
            ("text,labels\n", "no column `label`"),
            ("text,label\n", "no sentence"),
            ("text,label\nx,\n", "record 2"),
        ] {
            let error = Corpus::parse(text, &[]).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
