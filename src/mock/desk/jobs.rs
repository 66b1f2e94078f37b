//! Many tickets in one call. Zendesk does them in a job; here the job is done at once, and is told as queued first.
//!
//! Must not know: sockets, clocks, faults.

use super::{Desk, Done, fields::Writes, refusal::Refusal, tickets::listed_ids};
use crate::{
    mock::effect::Effect,
    wire::{Request, Response},
};
use serde_json::{Value, json};

/// Most tickets of one job.
const MOST: usize = 100;

/// A job that is done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Job {
    results: Vec<Value>,
}

impl Desk {
    pub(super) fn create_many(&mut self, now_ms: u64, request: &Request) -> Done {
        let writes = Writes::parse_many(&request.body)?;
        counted(writes.len())?;
        let (mut results, mut effects) = (Vec::new(), Vec::new());
        for (index, writes) in writes.iter().enumerate() {
            match self.make(now_ms, writes) {
                Ok((id, effect)) => {
                    effects.push(effect);
                    results.push(
                        json!({ "action": "create", "id": id, "index": index, "success": true, "status": "Created" }),
                    );
                }
                Err(refusal) => results.push(failed(&refusal, index)),
            }
        }
        Ok((self.queued(request, results), effects))
    }

    /// One change of all `ids`, or one of its own for each ticket that the body names.
    pub(super) fn update_many(&mut self, now_ms: u64, request: &Request) -> Done {
        let ids = listed_ids(request, "ids");
        let named: Vec<(String, Writes)> = if ids.is_empty() {
            let writes = Writes::parse_many(&request.body)?;
            writes.into_iter().map(|one| (one.id().unwrap_or_default(), one)).collect()
        } else {
            let one = Writes::parse(&request.body)?;
            ids.into_iter().map(|id| (id, one.clone())).collect()
        };
        counted(named.len())?;
        let (mut results, mut effects): (Vec<Value>, Vec<Effect>) = (Vec::new(), Vec::new());
        for (index, (id, writes)) in named.iter().enumerate() {
            match self.change(now_ms, id, writes) {
                Ok((id, effect)) => {
                    effects.extend(effect);
                    results.push(
                        json!({ "action": "update", "id": id, "index": index, "success": true, "status": "Updated" }),
                    );
                }
                Err(refusal) => results.push(failed(&refusal, index)),
            }
        }
        Ok((self.queued(request, results), effects))
    }

    fn queued(&mut self, request: &Request, results: Vec<Value>) -> Response {
        let number = self.jobs.len();
        let total = results.len();
        self.jobs.push(Job { results });
        let (id, url) = (job_id(number), job_url(request, number));
        let job = json!({ "id": id, "url": url, "status": "queued", "total": total, "progress": null, "message": null, "results": null });
        Response::json(200, &json!({ "job_status": job }))
    }

    pub(super) fn job(&self, id: &str, request: &Request) -> Done {
        let found = (0..self.jobs.len()).find(|number| job_id(*number) == id);
        let number = found.ok_or_else(Refusal::no_such_record)?;
        Ok((Response::json(200, &json!({ "job_status": self.shown_job(number, request) })), Vec::new()))
    }

    pub(super) fn list_jobs(&self, request: &Request) -> Done {
        let ids = listed_ids(request, "ids");
        let wanted = |number: &usize| ids.is_empty() || ids.contains(&job_id(*number));
        let shown = |number| self.shown_job(number, request);
        let jobs: Vec<Value> = (0..self.jobs.len()).filter(wanted).map(shown).collect();
        Ok((Response::json(200, &json!({ "job_statuses": jobs, "count": jobs.len() })), Vec::new()))
    }

    fn shown_job(&self, number: usize, request: &Request) -> Value {
        let results = self.jobs.get(number).map(|job| job.results.clone()).unwrap_or_default();
        json!({
            "id": job_id(number),
            "url": job_url(request, number),
            "status": "completed",
            "total": results.len(),
            "progress": results.len(),
            "message": "Completed",
            "results": results,
        })
    }
}

fn counted(tickets: usize) -> Result<(), Refusal> {
    if (1..=MOST).contains(&tickets) { Ok(()) } else { Err(Refusal::too_many_values(MOST)) }
}

fn failed(refusal: &Refusal, index: usize) -> Value {
    let (error, details) = refusal.words();
    json!({ "index": index, "success": false, "status": "Failed", "error": error, "details": details })
}

/// In the shape of Zendesk's: 32 characters.
fn job_id(number: usize) -> String {
    format!("{number:032x}")
}

fn job_url(request: &Request, number: usize) -> String {
    let host = request.header("host").unwrap_or("localhost");
    format!("http://{host}/api/v2/job_statuses/{}.json", job_id(number))
}
