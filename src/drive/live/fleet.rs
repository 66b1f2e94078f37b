//! What the live body does to the service's processes and to what is around them: kills, stops, restarts, its store, its clock.
//!
//! Must not know: what comes next, what is right.

use super::{By, DriveError, Driver, Event};
use crate::{
    drive::{
        directive::Input,
        interpreter::Interpreter,
        process::{Came, Fleet, Process, STOPS_WITHIN, Slot, StartError},
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
            self.mark(process, false);
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
        let slots: Vec<Slot> = self.run.service.iter().flat_map(Fleet::slots).cloned().collect();
        for process in 0..slots.len() {
            self.mark(process, false);
        }
        // At once, as when the machine goes: what one of them does after the others are dead is another fault.
        let mut kills = tokio::task::JoinSet::new();
        for slot in slots {
            kills.spawn(async move { slot.lock().await.kill().await });
        }
        while kills.join_next().await.is_some() {}
        self.record(Record::Process { event: ProcessEvent::Killed, detail: None })
    }

    /// Beside everything else: an app may take seconds.
    pub(super) fn restart(&mut self) -> Result<(), DriveError> {
        self.record(Record::Process { event: ProcessEvent::Started, detail: None })?;
        let slots: Vec<Slot> = self.run.service.iter().flat_map(Fleet::slots).cloned().collect();
        let events = self.events.clone();
        tokio::spawn(async move {
            let mut came = Ok(Came::Ready);
            for slot in &slots {
                came = Process::bring_up(slot).await;
                if !matches!(came, Ok(Came::Ready)) {
                    break;
                }
            }
            drop(events.send(Event::AllStarted(came)));
        });
        Ok(())
    }

    pub(super) fn all_started(
        &mut self,
        interpreter: &mut Interpreter<'_>,
        came: Result<Came, StartError>,
    ) -> Result<(), DriveError> {
        match came {
            // Another kill came between; its own restart follows.
            Ok(Came::Overtaken) => return Ok(()),
            Ok(Came::Ready) => {
                for process in 0..self.run.serves.len() {
                    self.mark(process, true);
                }
                self.record(Record::Process { event: ProcessEvent::Ready, detail: None })?;
            }
            Err(error) => self.did_not_come_back(None, error)?,
        }
        interpreter.on(self.run.clock.now_ms(), Input::Up);
        Ok(())
    }

    pub(super) fn started(
        &mut self,
        interpreter: &mut Interpreter<'_>,
        process: usize,
        came: Result<Came, StartError>,
        by: By,
    ) -> Result<(), DriveError> {
        match came {
            Ok(Came::Overtaken) => return Ok(()),
            Ok(Came::Ready) => {
                self.mark(process, true);
                self.record_process(ProcessEvent::Ready, process, "")?;
            }
            Err(error) => self.did_not_come_back(Some(process), error)?,
        }
        match by {
            By::Plan => interpreter.on(self.run.clock.now_ms(), Input::OneUp(process)),
            By::Supervisor => {}
        }
        Ok(())
    }

    /// That an app does not start again after a crash is the app's fault, and is judged; the embedded service is ours.
    fn did_not_come_back(&mut self, process: Option<usize>, error: StartError) -> Result<(), DriveError> {
        if self.run.embedded() {
            return Err(error.into());
        }
        let detail = Some(format!("did not come back: {error}"));
        self.record(Record::Process { event: ProcessEvent::Died, detail })?;
        match process {
            Some(process) => self.revive(process),
            None => (0..self.run.serves.len()).for_each(|process| self.revive(process)),
        }
        Ok(())
    }

    /// Starts a process that died by itself again, when somebody watches over it.
    fn revive(&self, process: usize) {
        let Some(slot) = self.slot(process) else { return };
        let events = self.events.clone();
        tokio::spawn(async move {
            let again = slot.lock().await.falls();
            let Some((life, pause)) = again else { return };
            let came = Process::revive(&slot, life, pause).await;
            drop(events.send(Event::Started(process, came, By::Supervisor)));
        });
    }

    fn mark(&self, process: usize, up: bool) {
        if let Some(target) = self.run.serves.get(process).copied().flatten() {
            self.shared.mark(target, up);
        }
    }

    pub(super) fn record_process(&mut self, event: ProcessEvent, process: usize, how: &str) -> Result<(), DriveError> {
        let many = self.run.service.as_ref().map_or(0, Fleet::len);
        let detail = Some(format!("process {} of {many}{how}", process + 1));
        self.record(Record::Process { event, detail })
    }

    pub(super) async fn kill_one(&mut self, process: usize) -> Result<(), DriveError> {
        self.mark(process, false);
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
                Some(slot) => Process::bring_up(&slot).await,
                None => Ok(Came::Ready),
            };
            drop(events.send(Event::Started(process, started, By::Plan)));
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
            self.mark(process, false);
            match self.run.serves.len() {
                1 => self.record(Record::Process { event: ProcessEvent::Died, detail: Some(detail) })?,
                _ => self.record_process(ProcessEvent::Died, process, &format!(": {detail}"))?,
            }
            if !self.run.embedded() {
                self.revive(process);
            }
        }
        Ok(())
    }
}
