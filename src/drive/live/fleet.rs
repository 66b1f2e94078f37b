//! What the live body does to the service's processes and to what is around them: kills, stops, restarts, its store, its clock.
//!
//! Must not know: what comes next, what is right.

use super::{DriveError, Driver, Event};
use crate::{
    drive::{
        directive::Input,
        interpreter::Interpreter,
        process::{Fleet, STOPS_WITHIN, Slot},
    },
    history::record::{ProcessEvent, Record},
};
use std::{sync::Arc, time::Duration};

/// Gap between two looks at a process that was told to stop.
const LOOK: Duration = Duration::from_millis(5);

impl Driver<'_> {
    /// Every process is told to stop, and ends beside everything else: what it still answers is waited for as ever.
    pub(super) async fn stop(&mut self) -> Result<(), DriveError> {
        self.record(Record::Process { event: ProcessEvent::Stopping, detail: None })?;
        let slots: Vec<Slot> = self.run.service.iter().flat_map(Fleet::slots).cloned().collect();
        let mut told = Vec::new();
        for (process, slot) in slots.into_iter().enumerate() {
            self.shared.mark(process, false);
            let number = slot.lock().await.terminate();
            told.extend(number.map(|number| (slot, number)));
        }
        let events = self.events.clone();
        tokio::spawn(async move {
            let ended = async {
                for (slot, number) in &told {
                    while !slot.lock().await.has_ended(*number) {
                        tokio::time::sleep(LOOK).await;
                    }
                }
            };
            if tokio::time::timeout(STOPS_WITHIN, ended).await.is_err() {
                // It does not end by itself: whoever operates it loses patience.
                for (slot, number) in &told {
                    slot.lock().await.kill_if(*number).await;
                }
            }
            // The receiver is gone only when the run is over.
            drop(events.send(Event::Stopped));
        });
        Ok(())
    }

    pub(super) async fn lock_store(&mut self, on: bool) -> Result<(), DriveError> {
        self.store_lock = None;
        let Some(lock) = self.run.lock_store.as_ref().filter(|_| on).map(Arc::clone) else { return Ok(()) };
        let locked = tokio::task::spawn_blocking(move || lock()).await;
        self.store_lock = Some(locked.unwrap_or_else(|error| Err(error.to_string())).map_err(DriveError::Store)?);
        Ok(())
    }

    pub(super) async fn set_clock(&self, offset_ms: i64) {
        for slot in self.run.service.iter().flat_map(Fleet::slots) {
            slot.lock().await.set_clock(offset_ms).await;
        }
    }

    pub(super) async fn kill(&mut self) -> Result<(), DriveError> {
        if let Some(fleet) = &self.run.service {
            for (process, slot) in fleet.slots().enumerate() {
                self.shared.mark(process, false);
                slot.lock().await.kill().await;
            }
        }
        self.record(Record::Process { event: ProcessEvent::Killed, detail: None })
    }

    pub(super) async fn restart(&mut self, interpreter: &mut Interpreter<'_>) -> Result<(), DriveError> {
        self.record(Record::Process { event: ProcessEvent::Started, detail: None })?;
        if let Some(fleet) = &self.run.service {
            for (process, slot) in fleet.slots().enumerate() {
                slot.lock().await.start_again().await?;
                self.shared.mark(process, true);
            }
        }
        self.record(Record::Process { event: ProcessEvent::Ready, detail: None })?;
        interpreter.on(self.run.clock.now_ms(), Input::Up);
        Ok(())
    }

    pub(super) fn record_process(&mut self, event: ProcessEvent, process: usize, how: &str) -> Result<(), DriveError> {
        let detail = Some(format!("process {} of {}{how}", process + 1, self.run.targets.len()));
        self.record(Record::Process { event, detail })
    }

    pub(super) async fn kill_one(&mut self, process: usize) -> Result<(), DriveError> {
        self.shared.mark(process, false);
        if let Some(slot) = self.slot(process) {
            slot.lock().await.kill().await;
        }
        self.record_process(ProcessEvent::Killed, process, "")
    }

    /// Beside everything else: whatever the others have to do goes on.
    pub(super) fn start_one(&mut self, process: usize) -> Result<(), DriveError> {
        self.record_process(ProcessEvent::Started, process, "")?;
        let (slot, events) = (self.slot(process), self.events.clone());
        tokio::spawn(async move {
            let started = match slot {
                Some(slot) => slot.lock().await.start_again().await,
                None => Ok(()),
            };
            drop(events.send(Event::Started(process, started)));
        });
        Ok(())
    }

    fn slot(&self, process: usize) -> Option<Slot> {
        self.run.service.as_ref()?.slots().nth(process).cloned()
    }

    pub(super) fn look_at_the_children(&mut self) -> Result<(), DriveError> {
        let Some(fleet) = &self.run.service else { return Ok(()) };
        // One that is just being started or killed is looked at the next time.
        let ended = |slot: &Slot| slot.try_lock().ok().and_then(|mut service| service.ended());
        let ended: Vec<_> = fleet.slots().map(ended).enumerate().collect();
        for (process, detail) in ended {
            let Some(detail) = detail else { continue };
            self.shared.mark(process, false);
            match self.run.targets.len() {
                1 => self.record(Record::Process { event: ProcessEvent::Died, detail: Some(detail) })?,
                _ => self.record_process(ProcessEvent::Died, process, &format!(": {detail}"))?,
            }
        }
        Ok(())
    }
}
