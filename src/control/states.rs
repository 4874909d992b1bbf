//! States of the channels as metrics, looked up when somebody asks.

use std::{collections::BTreeMap, fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use crate::channel::{
    edge::Reader,
    status::{State, Status},
};

const STATES: [&str; 6] = ["starting", "live", "stalled", "restarting", "ended", "failed"];

/// How the channels do.
#[derive(Debug)]
pub(super) struct States(pub(super) Arc<BTreeMap<String, Reader>>);

impl States {
    /// One value for each channel, and, where there are some, for each of its `labels`.
    fn each<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help, unit): (&str, &str, Option<Unit>),
        kind: &M,
        values: impl Fn(&Status) -> Vec<(Option<&'static str>, M)>,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), kind.metric_type())?;
        for (channel, reader) in self.0.iter() {
            let status = reader.status.borrow().clone();
            for (state, value) in values(&status) {
                let mut labels = vec![("channel", channel.as_str())];
                labels.extend(state.map(|state| ("state", state)));
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
        self.each(&mut encoder, of, &zero, |status| {
            let is = name(&status.state);
            STATES.map(|state| (Some(state), gauge(state == is))).into()
        })?;
        let of = ("low_latency_off", "1 if parts should be published one by one and cannot be", None);
        self.each(&mut encoder, of, &zero, |status| vec![(None, gauge(status.low_latency_off.is_some()))])?;
        let of =
            ("store_degraded", "1 while the store lags or fails and the channel goes on from memory", None);
        self.each(&mut encoder, of, &zero, |status| vec![(None, gauge(status.store_degraded.is_some()))])?;
        let starts = Unit::Other("starts".to_owned());
        let of = ("encoder", "Encoder processes started", Some(starts));
        self.each(&mut encoder, of, &ConstCounter::new(0_u64), |status| {
            vec![(None, ConstCounter::new(status.encoder_starts))]
        })
    }
}

fn name(state: &State) -> &'static str {
    match state {
        State::Starting | State::Awaiting { .. } => "starting",
        State::Live => "live",
        State::Stalled { .. } => "stalled",
        State::Restarting { .. } => "restarting",
        State::Ended => "ended",
        State::Failed { .. } => "failed",
    }
}
