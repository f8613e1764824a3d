//! What the server says of itself in Mandarin Chinese, and values as they are said there. Numbers stay in digits: the
//! voice reads them.

use jiff::civil::{Date, DateTime, Time};
use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use super::lines;
use super::script::TransferFailure;
use super::speak;

/// Whether a plan's language is Chinese.
pub(super) fn is(language: &str) -> bool {
    matches!(language.split(['-', '_']).next(), Some("zh" | "cmn"))
}

/// A built-in line; one that has no counterpart stays as it is, which a test rules out.
pub(super) fn line(english: &str) -> &str {
    match english {
        lines::SORRY_END => "很抱歉，我们的系统出了点问题。请稍后再打来。再见。",
        lines::SORRY_HUMAN => "很抱歉，我们的系统出了点问题。我帮您转接人工客服。",
        lines::SORRY_LINE => "很抱歉，这个我现在查不到。",
        lines::LOST_HUMAN => "很抱歉，我没能听明白。我帮您转接人工客服。",
        lines::LOST_END => "很抱歉没能帮到您。请稍后再打来。再见。",
        lines::OFFER => "您要和人工客服通话吗？",
        lines::OFFER_TAKEN => "请稍等，我帮您转接人工客服。",
        lines::GO_ON => "那我们继续。",
        lines::CALL_LATER => "请稍后再打来。再见。",
        lines::AGAIN => "对不起，我们再来一次。",
        lines::TYPE_IT => "您也可以在键盘上输入，按井号键结束。",
        lines::YES_NO_KEYS => "请说是或者不是；也可以按一表示是，按二表示不是。",
        lines::INVALID => "很抱歉，这个好像不对。",
        other => match lines::FAILURES.iter().find(|failure| lines::failure(**failure) == other) {
            Some(TransferFailure::Busy) => "很抱歉，现在客服都在忙。",
            Some(TransferFailure::NoAnswer) => "很抱歉，现在没有人接听。",
            Some(TransferFailure::Declined) => "很抱歉，现在没有人能接您的电话。",
            Some(TransferFailure::Unreachable) => "很抱歉，现在联系不到客服。",
            None => other,
        },
    }
}

/// Reads a slot's value back.
pub(super) fn read_back(value: &str) -> String {
    format!("您说的是{value}，对吗？")
}

/// The same to a caller who has no patience left.
pub(super) fn read_back_briefly(value: &str) -> String {
    format!("{value}，对吗？")
}

/// Asks which of two intents was meant, by what they are called.
pub(super) fn did_you_mean(first: &str, second: &str) -> String {
    format!("您说的是{first}，还是{second}？")
}

/// Asks which item of a form is wrong.
pub(super) fn which(items: &[String]) -> String {
    format!("哪一项要改：{}？", items.join("，还是"))
}

/// Offers keys.
pub(super) fn keys(options: &[(String, char)]) -> String {
    let key = |key: char| match key {
        '#' => "井号键".to_string(),
        '*' => "星号键".to_string(),
        digit => digit.to_string(),
    };
    let list: Vec<String> = options.iter().map(|(what, pressed)| format!("{what}请按{}", key(*pressed))).collect();
    format!("您也可以按键：{}。", list.join("，"))
}

/// `1234.5` as "1234.5元".
pub(super) fn money(value: &Value, code: &str) -> Result<String, Error> {
    let unit = match code {
        "CNY" => "元",
        "USD" => "美元",
        "EUR" => "欧元",
        "GBP" => "英镑",
        _ => return Err(refused("money knows CNY, USD, GBP and EUR")),
    };
    let number = speak::number_words(value)?;
    Ok(format!("{}{unit}", number.replacen("minus ", "负", 1)))
}

/// `2026-11-24`, with or without a time behind it, as "11月24日，星期二".
pub(super) fn date(value: &Value) -> Result<String, Error> {
    let day: Option<Date> = value.as_str().and_then(|text| text.get(..10)?.parse().ok());
    let day = day.ok_or_else(|| refused("date needs a text like 2026-11-24"))?;
    let name = WEEKDAYS[day.weekday().to_monday_zero_offset() as usize];
    Ok(format!("{}月{}日，星期{name}", day.month(), day.day()))
}

/// `15:30` as "下午3点30分".
pub(super) fn time(value: &Value) -> Result<String, Error> {
    let time: Option<Time> = value.as_str().and_then(|text| format!("{}:00", text.get(..5)?).parse().ok());
    let time = time.ok_or_else(|| refused("time needs a text like 15:30"))?;
    let (part, hour) = match time.hour() {
        hour @ 0..=5 => ("凌晨", hour),
        hour @ 6..=11 => ("上午", hour),
        12 => ("中午", 12),
        hour @ 13..=17 => ("下午", hour - 12),
        hour => ("晚上", hour - 12),
    };
    Ok(match time.minute() {
        0 => format!("{part}{hour}点"),
        minute @ 1..=9 => format!("{part}{hour}点零{minute}分"),
        minute => format!("{part}{hour}点{minute}分"),
    })
}

/// A moment's time of day.
pub(super) fn clock(moment: DateTime) -> String {
    time(&Value::from(format!("{:02}:{:02}", moment.hour(), moment.minute()))).unwrap_or_default()
}

/// A moment as seen from `now`: "今天下午2点", "明天上午8点", "星期一上午8点", "11月30日，星期一上午8点".
pub(super) fn moment(moment: DateTime, now: DateTime) -> String {
    let time = clock(moment);
    let weekday = WEEKDAYS[moment.weekday().to_monday_zero_offset() as usize];
    match now.date().until(moment.date()).map_or(i32::MAX, |span| span.get_days()) {
        0 => format!("今天{time}"),
        1 => format!("明天{time}"),
        2..=6 => format!("星期{weekday}{time}"),
        _ => format!("{}月{}日，星期{weekday}{time}", moment.month(), moment.day()),
    }
}

/// Of the week, from Monday.
const WEEKDAYS: [&str; 7] = ["一", "二", "三", "四", "五", "六", "日"];

/// By the hour.
pub(super) fn greeting(hour: u8) -> &'static str {
    match hour {
        0..=11 => "早上好",
        12..=17 => "下午好",
        _ => "晚上好",
    }
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_line_has_a_counterpart() {
        let failures = lines::FAILURES.iter().map(|failure| lines::failure(*failure));
        for english in lines::FIXED.iter().copied().chain(failures) {
            assert!(!line(english).is_ascii(), "{english}");
        }
    }

    #[test]
    fn values_are_said_in_chinese() {
        assert_eq!(money(&Value::from(1234.5), "CNY").unwrap(), "1234.5元");
        assert_eq!(money(&Value::from("-3"), "USD").unwrap(), "负3美元");
        assert!(money(&Value::from(1), "XXX").is_err());
        let now = jiff::civil::date(2026, 11, 23).at(10, 0, 0, 0);
        for (day, hour, said) in [
            (23, 18, "今天晚上6点"),
            (24, 9, "明天上午9点"),
            (27, 8, "星期五上午8点"),
            (30, 13, "11月30日，星期一下午1点"),
        ] {
            assert_eq!(moment(jiff::civil::date(2026, 11, day).at(hour, 0, 0, 0), now), said);
        }
        assert_eq!(date(&Value::from("2026-11-24")).unwrap(), "11月24日，星期二");
        assert_eq!(time(&Value::from("15:30")).unwrap(), "下午3点30分");
        assert_eq!(time(&Value::from("08:05")).unwrap(), "上午8点零5分");
        assert!(date(&Value::from("äöüäöüäöü")).is_err() && time(&Value::from("ää")).is_err());
        assert_eq!(keys(&[("余额".into(), '1'), ("人工".into(), '#')]), "您也可以按键：余额请按1，人工请按井号键。");
    }
}
