//! States of the channels as metrics, looked up when somebody asks.

use std::{collections::BTreeMap, fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use crate::channel::{edge::Reader, fitness::Unfit, status::State};

const STATES: [&str; 7] = ["starting", "standby", "live", "stalled", "restarting", "ended", "failed"];

/// Name and value.
type Label = (&'static str, &'static str);

/// How the channels do.
#[derive(Debug)]
pub(super) struct States(pub(super) Arc<BTreeMap<String, Reader>>);

impl States {
    /// One value for each channel, and, where there is another label, for each of what that can be.
    fn each<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help, unit): (&str, &str, Option<Unit>),
        kind: &M,
        values: impl Fn(&Reader) -> Vec<(Option<Label>, M)>,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), kind.metric_type())?;
        for (channel, reader) in self.0.iter() {
            for (label, value) in values(reader) {
                let mut labels = vec![("channel", channel.as_str())];
                labels.extend(label);
                value.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Collector for States {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let gauge = |yes: bool| ConstGauge::new(i64::from(yes));
        let zero = ConstGauge::new(0_i64);
        let of = ("channel_state", "1 for the state that a channel is in, 0 for the others", None);
        self.each(&mut encoder, of, &zero, |reader| {
            let is = name(&reader.status.borrow().state);
            STATES.map(|state| (Some(("state", state)), gauge(state == is))).into()
        })?;
        let of = ("channel_unfit", "1 if a channel is answered with an error, for the reason why", None);
        self.each(&mut encoder, of, &zero, |reader| {
            let is = reader.unfit();
            Unfit::ALL.map(|unfit| (Some(("reason", unfit.name())), gauge(is == Some(unfit)))).into()
        })?;
        let of = ("low_latency_off", "1 if parts should be published one by one and cannot be", None);
        self.each(&mut encoder, of, &zero, |reader| {
            vec![(None, gauge(reader.status.borrow().low_latency_off.is_some()))]
        })?;
        let of =
            ("store_degraded", "1 while the store lags or fails and the channel goes on from memory", None);
        self.each(&mut encoder, of, &zero, |reader| {
            vec![(None, gauge(reader.status.borrow().store_degraded.is_some()))]
        })?;
        let of = ("unfenced", "1 if nothing in the store keeps a second packager from publishing too", None);
        self.each(&mut encoder, of, &zero, |reader| {
            vec![(None, gauge(reader.status.borrow().unfenced.is_some()))]
        })?;
        let of = ("epoch", "Counts those who have published a channel, up to this server", None);
        self.each(&mut encoder, of, &zero, |reader| {
            let epoch = i64::try_from(reader.status.borrow().epoch).unwrap_or(i64::MAX);
            vec![(None, ConstGauge::new(epoch))]
        })?;
        let of = ("takeovers", "How often this server has gone on where another had stopped", None);
        self.each(&mut encoder, of, &ConstCounter::new(0_u64), |reader| {
            vec![(None, ConstCounter::new(reader.status.borrow().takeovers))]
        })?;
        let starts = Unit::Other("starts".to_owned());
        let of = ("encoder", "Encoder processes started", Some(starts));
        self.each(&mut encoder, of, &ConstCounter::new(0_u64), |reader| {
            vec![(None, ConstCounter::new(reader.status.borrow().encoder_starts))]
        })
    }
}

fn name(state: &State) -> &'static str {
    match state {
        State::Starting | State::Awaiting { .. } => "starting",
        State::Standby { .. } => "standby",
        State::Live => "live",
        State::Stalled { .. } => "stalled",
        State::Restarting { .. } => "restarting",
        State::Ended => "ended",
        State::Failed { .. } => "failed",
    }
}
