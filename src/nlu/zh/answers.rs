//! Chinese answers: yes and no, names, and the wish for a person.

use super::signs;

/// What opens an answer and says neither.
const OPENERS: &[&str] =
    &["我觉得", "我想", "应该", "那个", "那", "哦", "噢", "啊", "呃", "额", "这个", "就", "对不起", "不好意思"];
/// Answers that say nothing of yes or no, though they begin like it.
const NEITHER: &[&str] = &[
    "是不是",
    "对不对",
    "要不要",
    "行不行",
    "可不可以",
    "好不好",
    "能不能",
    "不知道",
    "不清楚",
    "不确定",
    "不一定",
    "不客气",
    "没关系",
    "好像",
    "可能",
    "也许",
    "好久",
    "对于",
    "对方",
    "行李",
    "要是",
    "不好说",
    "不明白",
    "没听清",
    "没听懂",
    "不太清楚",
];
/// Answers and their polarity. Of those that fit the longest counts.
const ANSWERS: &[(&str, bool)] = &[
    ("是的", true),
    ("是", true),
    ("对的", true),
    ("对", true),
    ("没错", true),
    ("不错", true),
    ("没问题", true),
    ("好的", true),
    ("好吧", true),
    ("好", true),
    ("行", true),
    ("可以", true),
    ("嗯", true),
    ("要的", true),
    ("要", true),
    ("正确", true),
    ("当然", true),
    ("确认", true),
    ("确定", true),
    ("同意", true),
    ("就是", true),
    ("就是这样", true),
    ("不用了", false),
    ("不用", false),
    ("不是的", false),
    ("不是", false),
    ("不对", false),
    ("不要", false),
    ("不行", false),
    ("不可以", false),
    ("不正确", false),
    ("不同意", false),
    ("不需要", false),
    ("不必", false),
    ("不了", false),
    ("不", false),
    ("没有", false),
    ("没", false),
    ("错了", false),
    ("错", false),
    ("否", false),
    ("别", false),
    ("算了", false),
    ("当然不", false),
];
/// Particles that may follow.
const PARTICLES: &[char] = &['啊', '呀', '吧', '呢', '了', '哦', '的', '嘛', '哈', '谢', '您', '你', '这', '样'];

/// Yes (`true`) or no, and how sure, 0..1.
pub(super) fn yes_no(text: &str) -> Option<(bool, f32)> {
    let heard: Vec<char> = signs(text);
    let clauses: Vec<&[char]> = heard
        .split(|c| matches!(c, '，' | '。' | ',' | '.' | '!' | '！' | '?' | '？' | '、' | ';'))
        .filter(|c| !c.is_empty())
        .collect();
    let found: Vec<(bool, f32)> = clauses.iter().take(4).filter_map(|clause| clause_polarity(clause)).collect();
    let first = *found.first()?;
    // The answer stands at the start; "不对，是的" and "是，不，不是" end on what is meant, and are less sure.
    clause_polarity(clauses[0]).or_else(|| (clauses[0].len() <= 3).then_some(first))?;
    let last = *found.last()?;
    if found.iter().all(|(yes, _)| *yes == first.0) {
        let sure = if clauses.len() > 1 { first.1.min(0.9) } else { first.1 };
        return Some((first.0, sure));
    }
    (found.len() == clauses.len()).then_some((last.0, 0.6))
}

fn clause_polarity(clause: &[char]) -> Option<(bool, f32)> {
    let starts = |rest: &[char], word: &str| super::has(rest, 0, word);
    let mut rest = clause;
    while let Some(opener) = OPENERS.iter().find(|opener| starts(rest, opener) && rest.len() > opener.chars().count()) {
        rest = &rest[opener.chars().count()..];
    }
    if NEITHER.iter().any(|word| starts(rest, word)) || rest.last() == Some(&'吗') {
        return None;
    }
    let (word, yes) = ANSWERS.iter().filter(|(word, _)| starts(rest, word)).max_by_key(|(word, _)| word.len())?;
    let mut after = &rest[word.chars().count()..];
    while let Some(shorter) = after.split_first().filter(|(c, _)| PARTICLES.contains(c)).map(|(_, rest)| rest) {
        after = shorter;
    }
    // "对对对", "是是是".
    let repeated = after.iter().all(|c| word.contains(*c));
    if repeated {
        return Some((*yes, 0.98));
    }
    // "是的我想查余额" answers and goes on; "要查余额" and "行李丢了" do not answer.
    let whole = word.chars().count() >= 2;
    (whole && after.len() <= 12).then_some((*yes, 0.75))
}

/// What leads to a name; longer ones first.
const LEADING: &[&str] = &[
    "我的名字叫",
    "我的名字是",
    "我名字叫",
    "名字是",
    "我姓名是",
    "姓名是",
    "我叫",
    "我是",
    "叫我",
    "这里是",
    "是",
    "不是",
    "嗯",
    "呃",
];
/// Signs that no name holds.
const NOT_IN_NAMES: &[char] = &[
    '我', '你', '您', '的', '了', '吗', '呢', '什', '么', '不', '要', '想', '查', '请', '卡', '钱', '号', '是', '这',
    '那', '在', '有', '没',
];

/// The name that an answer gives. One to four signs, or a Latin one.
pub(super) fn name(text: &str) -> Option<(String, f32)> {
    let all = signs(text);
    if all.iter().any(char::is_ascii_alphabetic) {
        return crate::nlu::names::name(text);
    }
    let mut rest: &[char] = &all;
    let mut led = false;
    let mark = |c: &char| matches!(c, '，' | '。' | ',' | '.' | '!' | '！' | '?' | '？' | '、');
    loop {
        rest = &rest[rest.iter().take_while(|c| mark(c)).count()..];
        let Some(lead) = LEADING.iter().find(|lead| super::has(rest, 0, lead)) else { break };
        rest = &rest[lead.chars().count()..];
        led |= lead.chars().count() > 1;
    }
    let end = rest.iter().position(mark).unwrap_or(rest.len());
    let name = &rest[..end];
    let fits = (2..=4).contains(&name.len())
        && name.iter().all(|c| matches!(c, '\u{4e00}'..='\u{9fff}' | '·') && !NOT_IN_NAMES.contains(c));
    (fits && !asks_for_person(text)).then(|| (name.iter().collect(), if led { 0.9 } else { 0.7 }))
}

/// Whether the text is nothing but greetings, thanks and sounds: "你好", "嗯，好的", "什么".
pub(super) fn is_small_talk(text: &str) -> bool {
    const LITTLE: &[&str] = &[
        "早上好",
        "上午好",
        "中午好",
        "下午好",
        "晚上好",
        "不好意思",
        "没关系",
        "不客气",
        "对不起",
        "你好",
        "您好",
        "谢谢",
        "感谢",
        "再见",
        "拜拜",
        "好的",
        "是的",
        "对的",
        "什么",
        "请问",
        "在吗",
        "那个",
        "这个",
        "就是",
        "然后",
        "可以",
        "没有",
        "没事",
        "知道",
        "明白",
        "稍等",
        "等等",
        "喂",
        "嗯",
        "哦",
        "啊",
        "呃",
        "唉",
        "哎",
        "好",
        "是",
        "对",
        "行",
        "不",
        "了",
        "吧",
        "吗",
        "呢",
        "的",
        "呀",
        "我",
        "你",
        "您",
    ];
    let mut rest: String = signs(text).into_iter().filter(|c| c.is_alphanumeric()).collect();
    LITTLE.iter().for_each(|word| rest = rest.replace(word, ""));
    rest.is_empty()
}

/// Who is asked for.
const PEOPLE: &[&str] = &["人工", "真人", "客服", "接线员", "坐席", "座席", "专员", "主管", "经理", "活人", "工作人员"];
/// What is wanted of them, where they alone would not say it.
const WISHES: &[&str] = &["转", "找", "接", "要", "请", "帮我", "想", "和", "跟", "让"];

/// Whether the text asks for a human: "转人工", "我要找客服", "能不能让真人跟我说".
pub(super) fn asks_for_person(text: &str) -> bool {
    let heard: String = signs(text).into_iter().collect();
    let Some((at, who)) = PEOPLE.iter().filter_map(|who| Some((heard.find(who)?, who))).min() else {
        return false;
    };
    let before = &heard[..at];
    let negated =
        ["不要", "不用", "别", "不想", "不需要", "不找"].iter().any(|no| before.ends_with(no) || before.contains(no));
    let told = ["说", "告诉", "骂", "态度"].iter().any(|word| heard[at + who.len()..].starts_with(word))
        && !before.contains('让');
    let alone = heard.chars().filter(|c| c.is_alphanumeric()).count() <= 6;
    !negated && !told && (alone || WISHES.iter().any(|wish| before.contains(wish)))
}
