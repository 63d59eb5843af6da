//! Messages on their way to the broker: kept until acknowledged, sent again with their
//! same sequence number after a lost connection.

use std::collections::{BTreeMap, VecDeque};

use firmware_proto::{DeviceTime, Encoding, Topic, Uplink, UplinkKind, decode, encode};

/// Messages a device keeps: over two days of telemetry at one a 20 s, some 2.5 MB.
/// Telemetry and events beyond it push out the oldest; births, states and results stay.
pub(crate) const MAX_BUFFERED: usize = 8192;

/// Messages sent and not yet acknowledged: enough to fill a link with some latency,
/// little enough that a lost connection repeats little.
pub(crate) const MAX_IN_FLIGHT: usize = 64;

/// What was buffered while offline and is older than this when it goes out is backfill.
const HISTORICAL_AFTER_MS: i64 = 5 * 60_000;

/// One encoded message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub kind: UplinkKind,
    pub payload: Vec<u8>,
    pub device_time: Option<DeviceTime>,
    /// Produced while there was no connection.
    pub offline: bool,
    /// Tells of a latched lockout.
    pub tells_lockout: bool,
}

impl Message {
    pub fn new(uplink: &Uplink, encoding: Encoding) -> Self {
        Self {
            kind: kind_of(uplink),
            payload: encode(uplink, encoding),
            device_time: uplink.stamp().and_then(|stamp| stamp.device_time_ms),
            offline: false,
            tells_lockout: false,
        }
    }

    pub fn topic(&self) -> Topic {
        Topic::Up(self.kind.clone())
    }

    fn may_be_dropped(&self) -> bool {
        matches!(self.kind, UplinkKind::Telemetry | UplinkKind::Event)
    }

    /// Marks backfill as such; only readings and events can raise an alarm.
    fn mark_if_historical(&mut self, now: DeviceTime) {
        let old = self.device_time.is_some_and(|time| now.since_ms(time) > HISTORICAL_AFTER_MS);
        if !(self.offline && old && self.may_be_dropped()) {
            return;
        }
        let Ok(mut uplink) = decode(&self.kind, &self.payload) else { return };
        match &mut uplink {
            Uplink::Telemetry(message) => message.stamp.is_historical = true,
            Uplink::Event(message) => message.stamp.is_historical = true,
            _ => return,
        }
        self.payload = encode(&uplink, Encoding::of(&self.payload));
        self.offline = false;
    }
}

fn kind_of(uplink: &Uplink) -> UplinkKind {
    match uplink {
        Uplink::Telemetry(_) => UplinkKind::Telemetry,
        Uplink::Event(_) => UplinkKind::Event,
        Uplink::State(_) => UplinkKind::State,
        Uplink::Birth(_) => UplinkKind::Birth,
        Uplink::Result(result) => UplinkKind::Result(result.command_id),
        Uplink::Death => UplinkKind::Death,
    }
}

/// A queue of three parts: acknowledged out of turn or in flight, then waiting.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// None: acknowledged, but an older one is not yet.
    queue: VecDeque<Option<Message>>,
    /// Number of the message at the front.
    first: u64,
    /// Messages at the front that have been handed to the connection.
    handed_over: usize,
    in_flight: usize,
    /// Handed over; the connection has not yet said under which packet id.
    unnumbered: VecDeque<u64>,
    numbered: BTreeMap<u16, u64>,
    produced: u64,
    acknowledged: u64,
    dropped: u64,
}

impl Outbox {
    pub fn push(&mut self, message: Message) {
        self.produced += 1;
        if self.queue.len() >= MAX_BUFFERED {
            self.drop_oldest_waiting();
        }
        self.queue.push_back(Some(message));
    }

    fn drop_oldest_waiting(&mut self) {
        let waiting = self.queue.iter().enumerate().skip(self.handed_over);
        let oldest = waiting.filter_map(|(at, slot)| slot.as_ref().map(|message| (at, message)));
        let found = oldest.into_iter().find(|(_, message)| message.may_be_dropped()).map(|(at, _)| at);
        if let Some(at) = found {
            self.queue.remove(at);
            self.dropped += 1;
        }
    }

    /// The next message to publish, if the window has room.
    pub fn hand_over(&mut self, now: DeviceTime) -> Option<&Message> {
        if self.in_flight >= MAX_IN_FLIGHT || self.handed_over >= self.queue.len() {
            return None;
        }
        let at = self.handed_over;
        self.handed_over += 1;
        self.in_flight += 1;
        self.unnumbered.push_back(self.first + at as u64);
        let message = self.queue[at].as_mut().expect("what has not been handed over is not acknowledged");
        message.mark_if_historical(now);
        Some(message)
    }

    /// The connection wrote the oldest unnumbered message under this packet id.
    pub fn numbered(&mut self, packet_id: u16) {
        if let Some(number) = self.unnumbered.pop_front() {
            self.numbered.insert(packet_id, number);
        }
    }

    /// The broker acknowledged a packet; the message it was.
    pub fn acknowledge(&mut self, packet_id: u16) -> Option<Message> {
        let number = self.numbered.remove(&packet_id)?;
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let message = self.queue.get_mut(at)?.take()?;
        self.in_flight -= 1;
        self.acknowledged += 1;
        while let Some(None) = self.queue.front() {
            self.queue.pop_front();
            self.first += 1;
            self.handed_over -= 1;
        }
        Some(message)
    }

    /// The connection is gone: what it had not got acknowledged waits again, in order.
    pub fn connection_lost(&mut self) {
        let before = self.queue.len();
        self.queue.retain(Option::is_some);
        self.first += (before - self.queue.len()) as u64;
        self.handed_over = 0;
        self.in_flight = 0;
        self.unnumbered.clear();
        self.numbered.clear();
    }

    /// Messages not yet acknowledged.
    pub fn len(&self) -> usize {
        self.queue.iter().flatten().count()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn produced(&self) -> u64 {
        self.produced
    }

    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use firmware_proto::{Birth, Reading, Seq, Stamp, Telemetry};

    use super::*;

    fn stamp(seq: u64) -> Stamp {
        Stamp { seq: Some(Seq(seq)), device_time_ms: Some(DeviceTime(seq as i64 * 1000)), ..Stamp::default() }
    }

    fn telemetry(seq: u64) -> Message {
        let readings = vec![Reading::named("power_w", seq as f64)];
        Message::new(&Uplink::Telemetry(Telemetry { stamp: stamp(seq), readings }), Encoding::Json)
    }

    fn seq(message: &Message) -> u64 {
        decode(&message.kind, &message.payload).unwrap().stamp().unwrap().seq.unwrap().0
    }

    fn send(outbox: &mut Outbox, packet_id: u16) -> u64 {
        let sent = seq(outbox.hand_over(DeviceTime(0)).unwrap());
        outbox.numbered(packet_id);
        sent
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again_in_order() {
        let mut outbox = Outbox::default();
        (1..=5).for_each(|n| outbox.push(telemetry(n)));
        assert_eq!([send(&mut outbox, 1), send(&mut outbox, 2), send(&mut outbox, 3)], [1, 2, 3]);
        assert_eq!(seq(&outbox.acknowledge(2).unwrap()), 2);
        assert_eq!(outbox.acknowledge(2), None);
        assert_eq!(outbox.len(), 4);
        outbox.connection_lost();
        assert_eq!([send(&mut outbox, 1), send(&mut outbox, 2)], [1, 3]);
        outbox.acknowledge(1).unwrap();
        assert_eq!([send(&mut outbox, 1), send(&mut outbox, 3)], [4, 5]);
        for id in [3, 2, 1] {
            outbox.acknowledge(id).unwrap();
        }
        assert!(outbox.is_empty());
        assert_eq!((outbox.produced(), outbox.acknowledged()), (5, 5));
    }

    #[test]
    fn a_full_buffer_gives_up_old_telemetry_and_nothing_else() {
        let mut outbox = Outbox::default();
        outbox.push(Message::new(&Uplink::Birth(Birth { stamp: stamp(1), ..Birth::default() }), Encoding::Protobuf));
        (2..=MAX_BUFFERED as u64 + 10).for_each(|n| outbox.push(telemetry(n)));
        assert_eq!((outbox.len(), outbox.dropped()), (MAX_BUFFERED, 10));
        assert_eq!([send(&mut outbox, 1), send(&mut outbox, 2)], [1, 12]);
    }

    #[test]
    fn only_so_much_is_in_flight() {
        let mut outbox = Outbox::default();
        (0..100).for_each(|n| outbox.push(telemetry(n)));
        let sent = (1..=100).take_while(|id| outbox.hand_over(DeviceTime(0)).is_some_and(|_| *id > 0)).count();
        assert_eq!(sent, MAX_IN_FLIGHT);
    }

    #[test]
    fn old_backlog_is_marked_historical_and_a_resend_is_not() {
        let mut outbox = Outbox::default();
        outbox.push(Message { offline: true, ..telemetry(1) });
        outbox.push(telemetry(2));
        let now = DeviceTime(3_600_000);
        let marks: Vec<_> = (0..2)
            .map(|_| {
                let message = outbox.hand_over(now).unwrap();
                decode(&message.kind, &message.payload).unwrap().stamp().unwrap().is_historical
            })
            .collect();
        assert_eq!(marks, [true, false]);
    }
}
