//! The rules file: which words, which account state and which choice lead to which queue. Every error has its place.
//!
//! Must not know: requests, accounts.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use toml::Spanned;

/// The rules that come with the service.
const SHIPPED: &str = include_str!("rules.toml");

/// Largest weight of a rule: more than a whole page of words against it would not say more.
const MOST_WEIGHT: i64 = 1_000;

/// Most rules of one file, and most words of one rule: each request is held against all of them.
const MOST_RULES: usize = 200;

/// A queue of the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// Money.
    Billing,
    /// Getting started.
    Onboarding,
    /// Everything that the product could do better.
    Feedback,
}

impl Queue {
    /// All queues.
    pub const ALL: [Self; 3] = [Self::Billing, Self::Onboarding, Self::Feedback];

    /// Its name, in files and in the tag `queue_<name>`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Billing => "billing",
            Self::Onboarding => "onboarding",
            Self::Feedback => "feedback",
        }
    }

    /// The queue of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.name() == name)
    }
}

/// What must be known of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// A payment failed and is still owed.
    PaymentFailed,
    /// Signed up, and has no access.
    SignedUpNotActive,
}

impl Condition {
    const ALL: [Self; 2] = [Self::PaymentFailed, Self::SignedUpNotActive];

    /// Its words in a file.
    pub const fn words(self) -> &'static str {
        match self {
            Self::PaymentFailed => "payment failed",
            Self::SignedUpNotActive => "signed up and not active",
        }
    }
}

/// When a rule speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The request contains some of these, in the form of [`plain`]; a beginning ends with `*`.
    Words(Vec<String>),
    /// This is known of who asks.
    Account(Condition),
    /// The person chose this.
    Category(Queue),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name: lower case, digits and dashes.
    pub name: String,
    /// Where it leads.
    pub queue: Queue,
    /// How much it says: for each word, or at once.
    pub weight: u64,
    /// When it speaks.
    pub test: Test,
}

/// All rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// When no rule speaks.
    pub default: Queue,
    /// In the order of the file.
    pub rules: Vec<Rule>,
}

/// Why a rules file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct RulesError {
    /// The file.
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// What is wrong and what to type instead.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<i64>,
    default: Spanned<String>,
    #[serde(default)]
    rule: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    queue: Spanned<String>,
    weight: Spanned<i64>,
    words: Option<Spanned<Vec<Spanned<String>>>>,
    account: Option<Spanned<String>>,
    category: Option<Spanned<String>>,
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
}

impl Rules {
    /// The rules that come with the service.
    pub fn shipped() -> Self {
        // A test reads them; an empty list still routes everything.
        Self::parse("rules.toml", SHIPPED).unwrap_or(Self { default: Queue::Feedback, rules: Vec::new() })
    }

    /// Reads the text of a rules file; `file` names it in errors.
    ///
    /// # Errors
    /// The first mistake, with its place and what to type instead.
    pub fn parse(file: &str, text: &str) -> Result<Self, RulesError> {
        let reader = Reader { file, text };
        let read: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            reader.wrong(at, error.message().to_owned())
        })?;
        if *read.version.get_ref() != 1 {
            return Err(reader.wrong(read.version.span().start, "this reads version 1; write `version = 1`".to_owned()));
        }
        if read.rule.len() > MOST_RULES {
            return Err(reader.wrong(read.rule[MOST_RULES].span().start, format!("more than {MOST_RULES} rules")));
        }
        let default = reader.queue("default", &read.default)?;
        let mut names = BTreeSet::new();
        let rules = read.rule.iter().map(|entry| {
            let rule = reader.rule(entry)?;
            if names.insert(rule.name.clone()) {
                return Ok(rule);
            }
            let what = format!("a rule `{}` stands above already; give this one another name", rule.name);
            Err(reader.wrong(entry.get_ref().name.span().start, what))
        });
        Ok(Self { default, rules: rules.collect::<Result<_, _>>()? })
    }
}

impl Reader<'_> {
    fn wrong(&self, at: usize, what: String) -> RulesError {
        let line = self.text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        RulesError { file: self.file.to_owned(), line, what }
    }

    fn queue(&self, key: &str, typed: &Spanned<String>) -> Result<Queue, RulesError> {
        Queue::named(typed.get_ref()).ok_or_else(|| {
            let names = Queue::ALL.map(Queue::name).join("\", \"");
            let what = format!("`{key}` is no queue: `{}`; write one of \"{names}\"", typed.get_ref());
            self.wrong(typed.span().start, what)
        })
    }

    fn rule(&self, entry: &Spanned<Entry>) -> Result<Rule, RulesError> {
        let Entry { name, queue, weight, words, account, category } = entry.get_ref();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.get_ref().is_empty() || name.get_ref().len() > 64 || !name.get_ref().chars().all(fits) {
            let what = "`name` becomes a tag: write lower-case letters, digits and dashes, such as \"money-words\"";
            return Err(self.wrong(name.span().start, what.to_owned()));
        }
        let allowed = u64::try_from(*weight.get_ref()).ok().filter(|_| (1..=MOST_WEIGHT).contains(weight.get_ref()));
        let Some(weight) = allowed else {
            return Err(self.wrong(weight.span().start, format!("`weight` is a number from 1 to {MOST_WEIGHT}")));
        };
        let test = match (words, account, category) {
            (Some(words), None, None) => Test::Words(self.words(words)?),
            (None, Some(account), None) => Test::Account(self.condition(account)?),
            (None, None, Some(category)) => Test::Category(self.queue("category", category)?),
            _ => {
                let what = format!("rule `{}` says when it speaks by one of: words, account, category", name.get_ref());
                return Err(self.wrong(name.span().start, what));
            }
        };
        Ok(Rule { name: name.get_ref().clone(), queue: self.queue("queue", queue)?, weight, test })
    }

    fn words(&self, words: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<String>, RulesError> {
        if words.get_ref().is_empty() || words.get_ref().len() > MOST_RULES {
            return Err(self.wrong(words.span().start, format!("`words` holds 1 to {MOST_RULES} words or phrases")));
        }
        let one = |word: &Spanned<String>| {
            let (stem, star) = match word.get_ref().strip_suffix('*') {
                Some(stem) => (stem, "*"),
                None => (word.get_ref().as_str(), ""),
            };
            let stem = plain(stem);
            if stem.is_empty() || stem.contains('*') {
                let what = format!("`{}` holds no word; write letters, with `*` at the end only", word.get_ref());
                return Err(self.wrong(word.span().start, what));
            }
            Ok(format!("{stem}{star}"))
        };
        words.get_ref().iter().map(one).collect()
    }

    fn condition(&self, typed: &Spanned<String>) -> Result<Condition, RulesError> {
        Condition::ALL.into_iter().find(|condition| condition.words() == typed.get_ref()).ok_or_else(|| {
            let known = Condition::ALL.map(Condition::words).join("\", \"");
            self.wrong(typed.span().start, format!("`account` is nothing known: write one of \"{known}\""))
        })
    }
}

/// Lower case, with one blank between words and nothing else.
pub fn plain(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_read_and_name_every_queue() {
        let rules = Rules::parse("rules.toml", SHIPPED).expect("the shipped rules");
        assert_eq!(rules, Rules::shipped());
        for queue in Queue::ALL {
            assert!(rules.rules.iter().any(|rule| rule.queue == queue), "{queue:?}");
        }
    }

    #[test]
    fn every_mistake_has_its_line_and_says_what_to_type() {
        let with = |rule: &str| format!("version = 1\ndefault = \"feedback\"\n\n[[rule]]\n{rule}\n");
        for (text, line, part) in [
            ("version = 2\ndefault = \"billing\"".to_owned(), 1, "version = 1"),
            ("version = 1\ndefault = \"sales\"".to_owned(), 2, "\"billing\", \"onboarding\", \"feedback\""),
            ("version = 1\ndefault = \"billing\"\nrules = 3".to_owned(), 3, "rules"),
            ("version = 1\ndefault = billing\n".to_owned(), 2, "string"),
            (with("name = \"A b\"\nqueue = \"billing\"\nweight = 1\nwords = [\"x\"]"), 5, "lower-case"),
            (with("name = \"a\"\nqueue = \"bill\"\nweight = 1\nwords = [\"x\"]"), 6, "`queue` is no queue: `bill`"),
            (with("name = \"a\"\nqueue = \"billing\"\nweight = 0\nwords = [\"x\"]"), 7, "from 1 to 1000"),
            (with("name = \"a\"\nqueue = \"billing\"\nweight = 1\nwords = []"), 8, "1 to 200"),
            (with("name = \"a\"\nqueue = \"billing\"\nweight = 1\nwords = [\"x\",\n\"--\"]"), 9, "`--` holds no word"),
            (with("name = \"a\"\nqueue = \"billing\"\nweight = 1\naccount = \"rich\""), 8, "\"payment failed\""),
            (with("name = \"a\"\nqueue = \"billing\"\nweight = 1"), 5, "one of: words, account, category"),
            (
                with(
                    "name = \"a\"\nqueue = \"billing\"\nweight = 1\nwords = [\"x\"]\n[[rule]]\nname = \"a\"\nqueue = \"billing\"\nweight = 1\nwords = [\"y\"]",
                ),
                10,
                "another name",
            ),
        ] {
            let error = Rules::parse("my.toml", &text).expect_err(&text);
            assert_eq!((error.file.as_str(), error.line), ("my.toml", line), "{text}: {error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
