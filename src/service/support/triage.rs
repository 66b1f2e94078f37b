//! Which queue a request goes to, and which rule chose it. A pure function of rules, request and what is known of who asks.
//!
//! Must not know: storage, tickets.

use super::rules::{Condition, Queue, Rules, Test, plain};
use std::collections::{BTreeMap, BTreeSet};

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    /// What the person wrote.
    pub message: &'a str,
    /// What they chose on the form.
    pub category: Option<Queue>,
    /// What is known of them.
    pub account: BTreeSet<Condition>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The queue.
    pub queue: Queue,
    /// The rule that said the most for it; `None` when no rule spoke and the default was taken.
    pub rule: Option<String>,
}

/// Routes a request. Nothing is left without a queue: there is a default.
pub fn route(rules: &Rules, question: &Question<'_>) -> Routed {
    let text = format!(" {} ", plain(question.message));
    // Sum, and place and worth of the rule that gave the most.
    let mut sums: BTreeMap<Queue, (u64, usize, u64)> = BTreeMap::new();
    for (place, rule) in rules.rules.iter().enumerate() {
        let worth = match &rule.test {
            Test::Words(words) => rule.weight * words.iter().filter(|word| contains(&text, word)).count() as u64,
            Test::Account(condition) => rule.weight * u64::from(question.account.contains(condition)),
            Test::Category(queue) => rule.weight * u64::from(question.category == Some(*queue)),
        };
        if worth == 0 {
            continue;
        }
        let (sum, best, most) = sums.entry(rule.queue).or_insert((0, place, 0));
        *sum += worth;
        if worth > *most {
            (*best, *most) = (place, worth);
        }
    }
    let first = |queue: Queue| rules.rules.iter().position(|rule| rule.queue == queue);
    let chosen = sums.into_iter().max_by_key(|(queue, (sum, ..))| (*sum, std::cmp::Reverse(first(*queue))));
    match chosen {
        Some((queue, (_, best, _))) => Routed { queue, rule: rules.rules.get(best).map(|rule| rule.name.clone()) },
        None => Routed { queue: rules.default, rule: None },
    }
}

/// Whether `text`, in plain form with a blank at each end, contains a word, a phrase, or a word that begins so.
fn contains(text: &str, word: &str) -> bool {
    match word.strip_suffix('*') {
        Some(beginning) => text.contains(&format!(" {beginning}")),
        None => text.contains(&format!(" {word} ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(message: &str) -> (&'static str, Option<String>) {
        let question = Question { message, ..Question::default() };
        let Routed { queue, rule } = route(&Rules::shipped(), &question);
        (queue.name(), rule)
    }

    #[test]
    fn words_choose_the_queue_and_the_rule_is_named() {
        for (message, queue, rule) in [
            ("You CHARGED me twice, I want a refund!", "billing", "money-words"),
            ("My card was declined", "billing", "money-words"),
            ("I signed up but the confirmation email never came", "onboarding", "beginning-words"),
            ("I can't access my account, which password is it?", "onboarding", "beginning-words"),
            ("It would be nice to have a dark mode", "feedback", "opinion-words"),
        ] {
            assert_eq!(routed(message), (queue, Some(rule.to_owned())), "{message}");
        }
        for message in ["hello", "", "¿?", "discharged batteries"] {
            assert_eq!(routed(message), ("feedback", None), "{message}");
        }
    }

    #[test]
    fn account_state_leans_and_words_outweigh_it() {
        let rules = Rules::shipped();
        let with = |message, condition| {
            route(&rules, &Question { message, account: BTreeSet::from([condition]), ..Question::default() })
        };
        let failed = with("hello", Condition::PaymentFailed);
        assert_eq!((failed.queue, failed.rule.as_deref()), (Queue::Billing, Some("payment-failed")));
        assert_eq!(with("hello", Condition::SignedUpNotActive).queue, Queue::Onboarding);
        assert_eq!(with("I need a refund of the invoice", Condition::SignedUpNotActive).queue, Queue::Billing);
    }

    #[test]
    fn what_the_person_chose_counts_more_than_one_word() {
        let rules = Rules::shipped();
        let chosen =
            |message| route(&rules, &Question { message, category: Some(Queue::Feedback), ..Question::default() });
        assert_eq!(chosen("about my invoice").queue, Queue::Feedback);
        assert_eq!(chosen("my invoice shows a charge that I want refunded").queue, Queue::Billing);
    }

    #[test]
    fn at_equal_sums_the_rule_that_stands_first_wins() {
        let text = "version = 1\ndefault = \"feedback\"\n\
            [[rule]]\nname = \"a\"\nqueue = \"onboarding\"\nweight = 2\nwords = [\"x\"]\n\
            [[rule]]\nname = \"b\"\nqueue = \"billing\"\nweight = 2\nwords = [\"y\"]\n";
        let rules = Rules::parse("r", text).expect("rules");
        let both = route(&rules, &Question { message: "x y", ..Question::default() });
        assert_eq!((both.queue, both.rule.as_deref()), (Queue::Onboarding, Some("a")));
    }
}
