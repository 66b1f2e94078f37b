//! Whom a call of the service is about: the customers of a plan whose ids or addresses stand in it.
//!
//! Must not know: what a call does, what is right.

use super::models::Models;
use crate::{
    id::{CustomerId, InstanceId, InvoiceId, SubscriptionId, UserId},
    plan::model::{Instance, Plan},
    scenario::fault::Double,
    wire::Request,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Longest id that is looked for, in parts joined by `_`: `cs_test_…` has three.
const MOST_PARTS: usize = 3;

/// What names each customer. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Subjects(Arc<BTreeMap<String, InstanceId>>);

impl Subjects {
    /// The customers of a plan. Of several instances with one name (a story that goes on, a person who buys again) it is the
    /// first.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut names = BTreeMap::new();
        for instance in plan.everybody() {
            for name in own_names(instance) {
                names.entry(name).or_insert_with(|| instance.id.clone());
            }
        }
        Self(Arc::new(names))
    }

    /// Whom a request is about: by its path, its query, its body, and by the contact that its path names.
    pub(super) fn of(&self, models: &Models, of: Double, request: &Request) -> Vec<InstanceId> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut found = BTreeSet::new();
        self.read(&request.path.replace("%40", "@"), &mut found);
        request.query.iter().for_each(|(_, value)| self.read(value, &mut found));
        let body = String::from_utf8_lossy(&request.body);
        match request.header("content-type").is_some_and(|kind| kind.contains("form-urlencoded")) {
            true => self.read(&body.replace("%40", "@").replace("%2B", "+"), &mut found),
            false => self.read(&body, &mut found),
        }
        if let Double::Declared(name) = of {
            let double = models.declared.get(&name);
            double
                .into_iter()
                .flat_map(|double| double.texts_about(request))
                .for_each(|text| self.read(&text, &mut found));
        }
        let contact = request.path.rsplit_once("/contacts/").map(|(_, id)| id);
        let properties = contact.map(|id| models.properties(of, id)).unwrap_or_default();
        properties.values().for_each(|value| self.read(value, &mut found));
        found.into_iter().cloned().collect()
    }

    fn read<'s>(&'s self, text: &str, found: &mut BTreeSet<&'s InstanceId>) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '@');
        for token in text.split(|c| !is_part(c)).filter(|token| !token.is_empty()) {
            found.extend(self.0.get(&token.to_lowercase()).filter(|_| token.contains('@')));
            let mut starts = vec![0];
            starts.extend(token.match_indices(|c: char| !c.is_ascii_alphanumeric()).map(|(at, _)| at + 1));
            let ends: Vec<usize> = starts.iter().skip(1).map(|at| at - 1).chain([token.len()]).collect();
            for (n, from) in starts.iter().enumerate() {
                found.extend(ends[n..].iter().take(MOST_PARTS).filter_map(|to| self.0.get(&token[*from..*to])));
            }
        }
    }
}

fn own_names(instance: &Instance) -> impl Iterator<Item = String> {
    let ids = [
        instance.customer.as_ref().map(CustomerId::as_str),
        instance.subscription.as_ref().map(SubscriptionId::as_str),
        instance.user.as_ref().map(UserId::as_str),
        instance.session.as_deref(),
    ];
    let invoices = instance.failed_invoices.iter().map(InvoiceId::as_str);
    let email = instance.email.as_ref().map(|email| email.to_lowercase());
    ids.into_iter().flatten().chain(invoices).map(str::to_owned).chain(email).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::models::ModelOptions;

    #[test]
    fn a_call_is_about_those_whom_it_names() {
        let names = [("cus_1AB", "buy/1"), ("a.b+c@example.com", "buy/1"), ("in_2", "buy/2"), ("cs_test_3", "buy/3")];
        let names = names.map(|(name, id)| (name.to_owned(), InstanceId::from(id)));
        let subjects = Subjects(Arc::new(names.into()));
        let mut models = Models::new(&ModelOptions::default());
        let id = models.crm.give([("email".to_owned(), "a.b+c@example.com".to_owned())].into());
        let about = |path: &str, body: &str| {
            let request = Request { path: path.into(), body: body.as_bytes().to_vec(), ..Request::default() };
            let about = subjects.of(&models, Double::Crm, &request);
            about.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(about("/x", r#"{"email":"A.B+c@example.com","id":"cus_1AB"}"#), ["buy/1"]);
        let header = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let form = Request { headers: vec![header], body: b"to=a.b%2Bc%40example.com".to_vec(), ..Request::default() };
        assert_eq!(subjects.of(&models, Double::Stripe, &form), [InstanceId::from("buy/1")]);
        assert_eq!(about("/x/cs_test_3", "dunning_in_2"), ["buy/2", "buy/3"]);
        assert_eq!(about(&format!("/crm/v3/objects/contacts/{id}"), "{}"), ["buy/1"]);
        assert_eq!(about("/x", "cus_1ABC in_22 xcus_1AB@"), Vec::<String>::new());
    }
}
