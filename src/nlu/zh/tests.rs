//! Chinese as callers say it and as a recogniser writes it.

use jiff::civil::{Date, date};

use super::*;
use crate::nlu::passing::in_passing;
use crate::nlu::slots::{SlotKind, fill_in};

/// A Sunday.
const TODAY: Date = date(2026, 11, 22);

fn filled(kind: &SlotKind, text: &str) -> Option<String> {
    match fill_in(&Chinese, kind, text, TODAY) {
        Fill::Value { canonical, confidence } => {
            assert!((0.0..=1.0).contains(&confidence), "{text}");
            Some(canonical)
        }
        _ => None,
    }
}

fn check(kind: &SlotKind, rows: &[(&str, Option<&str>)]) {
    for (text, expected) in rows {
        assert_eq!(filled(kind, text).as_deref(), *expected, "{text}");
    }
}

#[test]
fn numbers_are_read() {
    check(
        &SlotKind::Number,
        &[
            ("五", Some("5")),
            ("十", Some("10")),
            ("十五", Some("15")),
            ("二十", Some("20")),
            ("九十九", Some("99")),
            ("一百零五", Some("105")),
            ("一百五", Some("150")),
            ("两百五十", Some("250")),
            ("三千零二十", Some("3020")),
            ("一万二", Some("12000")),
            ("一万零二", Some("10002")),
            ("十二万三千四百五十六", Some("123456")),
            ("一亿两千万", Some("120000000")),
            ("三点一四", Some("3.14")),
            ("零点五", Some("0.5")),
            ("两个半", Some("2.5")),
            ("负五", Some("-5")),
            ("一九八四", Some("1984")),
            ("我要三张", Some("3")),
            ("３０", Some("30")),
            ("1,200", Some("1200")),
            ("3.5万", Some("35000")),
            ("二十，不对，三十", Some("30")),
            ("没有", None),
            ("", None),
        ],
    );
}

#[test]
fn digits_are_read() {
    check(
        &SlotKind::Digits { length: Some((8, 8)) },
        &[
            ("一二三四五六七八", Some("12345678")),
            ("我的账号是一二三四 五六七八", Some("12345678")),
            ("幺二三四，五六七八。", Some("12345678")),
            ("12345678", Some("12345678")),
            ("一二三四", None),
        ],
    );
    check(&SlotKind::Digits { length: None }, &[("零零七", Some("007")), ("二十五", Some("25")), ("查余额", None)]);
    check(
        &SlotKind::Phone,
        &[("我的电话是幺三八零零幺三八零零零", Some("13800138000")), ("138 0013 8000", Some("13800138000"))],
    );
}

#[test]
fn amounts_are_read() {
    check(
        &SlotKind::Money,
        &[
            ("两百块", Some("200.00")),
            ("十二块五", Some("12.50")),
            ("十二块五毛", Some("12.50")),
            ("三块零五分", Some("3.05")),
            ("五毛", Some("0.50")),
            ("三块半", Some("3.50")),
            ("一千二百元", Some("1200.00")),
            ("转两万五", Some("25000.00")),
            ("¥200", Some("200.00")),
            ("五十美元", Some("50.00")),
            ("买三张票，一共两百块钱", Some("200.00")),
            ("一百块，不对，两百块", Some("200.00")),
            ("没钱", None),
        ],
    );
    assert_eq!(Chinese.money("五十美元").and_then(|m| m.currency), Some(crate::nlu::money::Currency::Dollar));
}

#[test]
fn days_are_read() {
    check(
        &SlotKind::Date,
        &[
            ("今天", Some("2026-11-22")),
            ("明天吧", Some("2026-11-23")),
            ("大后天", Some("2026-11-25")),
            ("周五", Some("2026-11-27")),
            ("这周五", Some("2026-11-20")),
            ("下周五", Some("2026-11-27")),
            ("下下周一", Some("2026-11-30")),
            ("下个星期三", Some("2026-11-25")),
            ("上周一", Some("2026-11-09")),
            ("星期天", Some("2026-11-29")),
            ("三月三号", Some("2027-03-03")),
            ("十二月二十五日", Some("2026-12-25")),
            ("12月4日", Some("2026-12-04")),
            ("二零二七年五月一日", Some("2027-05-01")),
            ("2027年5月1号", Some("2027-05-01")),
            ("明年一月十五号", Some("2027-01-15")),
            ("下个月五号", Some("2026-12-05")),
            ("十五号", Some("2026-12-15")),
            ("三天后", Some("2026-11-25")),
            ("两个星期以后", Some("2026-12-06")),
            ("一个月之后", Some("2026-12-22")),
            ("2027-02-28", Some("2027-02-28")),
            ("周一，不对，周二", Some("2026-11-24")),
            ("二月三十一号", None),
            ("查余额", None),
        ],
    );
}

#[test]
fn times_are_read() {
    check(
        &SlotKind::Time,
        &[
            ("下午三点", Some("15:00")),
            ("下午三点半", Some("15:30")),
            ("早上九点一刻", Some("09:15")),
            ("晚上八点二十", Some("20:20")),
            ("三点零五分", Some("15:05")),
            ("15:30", Some("15:30")),
            ("十五点三十分", Some("15:30")),
            ("差十分五点", Some("16:50")),
            ("中午十二点", Some("12:00")),
            ("凌晨两点", Some("02:00")),
            ("晚上十二点", Some("00:00")),
            ("九点，不对，十点半", Some("10:30")),
            ("三张票", None),
        ],
    );
}

#[test]
fn answers_are_read() {
    let rows = [
        ("是", Some(true)),
        ("是的。", Some(true)),
        ("对对对", Some(true)),
        ("嗯，没错", Some(true)),
        ("好的，谢谢", Some(true)),
        ("可以", Some(true)),
        ("没问题", Some(true)),
        ("行吧", Some(true)),
        ("是的我要查余额", Some(true)),
        ("不", Some(false)),
        ("不是", Some(false)),
        ("不对，错了", Some(false)),
        ("不用了，谢谢", Some(false)),
        ("不要", Some(false)),
        ("没有", Some(false)),
        ("不是，是的", Some(true)),
        ("是不是", None),
        ("对不起", None),
        ("不知道", None),
        ("可以吗", None),
        ("要查余额", None),
        ("行李丢了", None),
        ("好像没有", None),
        ("我的卡丢了", None),
        ("", None),
    ];
    for (text, expected) in rows {
        assert_eq!(Chinese.yes_no(text).map(|(yes, _)| yes), expected, "{text}");
    }
}

#[test]
fn names_choices_and_wishes_are_read() {
    check(
        &SlotKind::Name,
        &[
            ("我叫王小明", Some("王小明")),
            ("李娜", Some("李娜")),
            ("我是张伟。", Some("张伟")),
            ("我要查余额", None),
            ("转人工", None),
        ],
    );
    let accounts = SlotKind::Choice(["储蓄账户", "支票账户", "信用卡"].map(|name| vec![name.to_owned()]).to_vec());
    check(
        &accounts,
        &[
            ("储蓄账户", Some("储蓄账户")),
            ("我要信用卡的", Some("信用卡")),
            ("第二个", Some("支票账户")),
            ("最后一个吧", Some("信用卡")),
            ("不是储蓄账户，是支票账户", None),
            ("储蓄账户，不对，支票账户", Some("支票账户")),
            ("房贷", None),
        ],
    );
    for (text, expected) in [
        ("转人工", true),
        ("我要找客服", true),
        ("能不能让真人跟我说", true),
        ("人工服务", true),
        ("不要人工", false),
        ("你们客服态度很差", false),
        ("查余额", false),
    ] {
        assert_eq!(Chinese.asks_for_person(text), expected, "{text}");
    }
}

#[test]
fn one_sentence_gives_several_values() {
    let accounts = SlotKind::Choice(["储蓄账户", "支票账户"].map(|name| vec![name.to_owned()]).to_vec());
    let kinds = [SlotKind::Money, accounts, SlotKind::Date, SlotKind::Time];
    let wanted: Vec<(usize, &SlotKind)> = kinds.iter().enumerate().collect();
    let found = in_passing(&Chinese, "下周五下午三点往储蓄账户转两百块", &wanted, TODAY);
    let found: Vec<(usize, &str)> = found.iter().map(|given| (given.slot, given.canonical.as_str())).collect();
    assert_eq!(found, [(0, "200.00"), (1, "储蓄账户"), (2, "2026-11-27"), (3, "15:00")]);
}

#[test]
fn greetings_and_sounds_say_nothing_and_two_signs_little() {
    for (text, talk, short) in [
        ("你好", true, true),
        ("嗯，好的", true, false),
        ("什么", true, true),
        ("余额", false, true),
        ("我的卡丢了", false, false),
        ("早上好，我要查余额", false, false),
    ] {
        assert_eq!((Chinese.is_small_talk(text), Chinese.is_short(text)), (talk, short), "{text}");
    }
}
