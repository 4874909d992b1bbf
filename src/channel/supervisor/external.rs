//! Encoders that somebody else starts: one at a time is let in, given the job, and seen to its end.

use tokio::sync::mpsc;

use super::{Next, Report, run};
use crate::ladder::{
    job::Job,
    process::{Encoder, door::Door},
    wire::Control,
};

/// Lets encoders in until the source ends or nobody listens to the reports any more. Pauses are theirs to make: between
/// two of them, this waits for the next one to come.
pub(in crate::channel) async fn attend(
    mut job: Job,
    door: Door,
    reports: mpsc::Sender<Report>,
    mut commands: mpsc::Receiver<Control>,
) {
    let _ = reports.send(Report::Awaited { at: door.path().into() }).await;
    loop {
        let stream = tokio::select! {
            stream = door.accept() => stream,
            () = reports.closed() => return,
        };
        let work = async {
            let encoder = Encoder::engage(stream, &job).await;
            run(encoder, &mut job, &reports, &mut commands).await
        };
        let run = tokio::select! {
            run = work => run,
            never = door.refuse() => match never {},
        };
        if reports.is_closed() {
            return;
        }
        let next = if run.ended { Next::Never } else { Next::Awaited(door.path().into()) };
        let _ = reports.send(Report::Lost { why: run.why, next }).await;
        if run.ended {
            return;
        }
    }
}
