//! Many deliveries in one commit: each has its own outcome, copies have one effect, and torn services stay torn.

use super::stories::{completed, invoice};
use hookdrill::{
    service::{Defect, Incoming, Received, Service, Settings, store::Store},
    stripe::event::Event,
    time::Timestamp,
};
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_secs(1000);

fn batch<'e>(events: impl IntoIterator<Item = &'e Event>) -> Vec<Arc<Incoming>> {
    events.into_iter().map(|event| Arc::new(Incoming::new(event.clone()))).collect()
}

fn checkout(number: u32) -> Event {
    completed(&format!("evt_{number}"), &format!("cus_{number}"), None, &format!("c{number}@example.com"))
}

fn over(store: Store, defects: &[Defect]) -> Service {
    Service::new(store, Settings { defects: defects.iter().copied().collect(), ..Settings::default() })
}

/// `+` taken in, `=` known already, `~` torn, `!` refused.
fn outcomes(service: &mut Service, events: &[&Event]) -> String {
    let received = service.receive_batch(NOW, &batch(events.iter().copied()));
    let sign = |received: &Result<Received, _>| match received {
        Ok(Received::Settled(accepted)) if accepted.duplicate => '=',
        Ok(Received::Settled(_)) => '+',
        Ok(Received::Torn(_)) => '~',
        Err(_) => '!',
    };
    received.iter().map(sign).collect()
}

#[test]
fn a_batch_does_what_its_events_do_one_by_one() {
    let events: Vec<Event> = (0..20)
        .flat_map(|n| {
            let bill =
                invoice(&format!("evt_f{n}"), "payment_failed", 500, &format!("cus_{n}"), &format!("in_{n}"), None);
            [checkout(n), bill]
        })
        .collect();
    let [mut together, mut apart] = [over(Store::memory(), &[]), over(Store::memory(), &[])];
    assert_eq!(outcomes(&mut together, &events.iter().collect::<Vec<_>>()), "+".repeat(40));
    for event in &events {
        apart.receive(NOW, event).expect("received");
    }
    assert_eq!(together.status(), apart.status());
    for number in 0..20 {
        let id = format!("cus_{number}");
        assert_eq!(together.customer(&id), apart.customer(&id));
    }
}

#[test]
fn copies_in_one_batch_have_one_effect() {
    let (one, other) = (checkout(1), checkout(2));
    let mut service = over(Store::memory(), &[]);
    assert_eq!(outcomes(&mut service, &[&one, &other, &one, &one]), "++==");
    assert_eq!(outcomes(&mut service, &[&other, &one]), "==");
    assert_eq!(service.customer("cus_1").expect("read").expect("known").purchases, 1);
    let mut counting = over(Store::memory(), &[Defect::NoDedupe]);
    assert_eq!(outcomes(&mut counting, &[&one, &one]), "++");
    assert_eq!(counting.customer("cus_1").expect("read").expect("known").purchases, 2);
}

#[test]
fn an_event_that_the_store_refuses_fails_alone() {
    let events: Vec<Event> = (0..9).map(checkout).collect();
    let all: Vec<&Event> = events.iter().collect();
    for refused in 0..9 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("service.db");
        let mut service = over(Store::sqlite(&path).expect("a store"), &[]);
        let trigger = format!(
            "CREATE TRIGGER refuses BEFORE INSERT ON events WHEN NEW.id = 'evt_{refused}'
             BEGIN SELECT RAISE(ABORT, 'no'); END"
        );
        let connection = rusqlite::Connection::open(&path).expect("the file");
        connection.execute_batch(&trigger).expect("a trigger");
        let signs: String = (0..9).map(|n| if n == refused { '!' } else { '+' }).collect();
        assert_eq!(outcomes(&mut service, &all), signs);
        connection.execute_batch("DROP TRIGGER refuses").expect("dropped");
        let again: String = (0..9).map(|n| if n == refused { '+' } else { '=' }).collect();
        assert_eq!(outcomes(&mut service, &all), again, "nothing of it was kept, all of the others was");
    }
}

#[test]
fn a_busy_store_acknowledges_nobody() {
    let Store::Memory(mut memory) = Store::memory() else { panic!("it is in memory") };
    memory.busy_for(99);
    let mut service = over(Store::Memory(memory), &[]);
    assert_eq!(outcomes(&mut service, &[&checkout(1), &checkout(2)]), "!!");
    assert_eq!(
        service.status().map(|status| status.events),
        Err(hookdrill::service::store::StoreError::Retry("told to be busy".to_owned()))
    );
}

#[test]
fn torn_services_stay_torn_in_a_batch() {
    let (one, other) = (checkout(1), checkout(2));
    for (defect, first, second) in [
        (Defect::AckBeforePersist, "~~~", "~"),
        (Defect::CheckThenInsert, "~~~", "~"),
        (Defect::SeenIsApplied, "~~=", "="),
        (Defect::JobBeforeCommit, "~~~", "~"),
        (Defect::JobAfterCommit, "~~=", "="),
        (Defect::DedupeInMemory, "++=", "="),
        (Defect::CommitNotSynced, "++=", "="),
    ] {
        let mut service = over(Store::memory(), &[defect]);
        assert_eq!(outcomes(&mut service, &[&one, &other, &one]), first, "{}", defect.name());
        assert_eq!(outcomes(&mut service, &[&one]), second, "{}", defect.name());
        let mut restarted = service.restarted();
        let forgets = [Defect::AckBeforePersist, Defect::CheckThenInsert, Defect::JobBeforeCommit];
        let sign = match defect {
            Defect::DedupeInMemory => "+",
            _ if forgets.contains(&defect) => "~",
            _ => "=",
        };
        assert_eq!(outcomes(&mut restarted, &[&one]), sign, "{} after a restart", defect.name());
    }
}
