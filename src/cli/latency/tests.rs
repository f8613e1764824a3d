//! The capture's figures beside the server's own, of the same virtual call.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use etherparse::PacketBuilder;
use pcap_file::pcap::{PcapPacket, PcapWriter};

use super::{capture, talk};
use crate::call::io::Report;
use crate::call::line::Line;
use crate::dialplan;
use crate::sim::{self, Act, Scenario, Tapped};

const PLAN: &str = "
dialplan: wire
language: en-US
intents:
  hours: [when are you open, opening hours]
  balance: [what is my balance, how much do I have]
start: hello
states:
  hello:
    steps:
      - say: Welcome to this line, which has a rather long greeting, so that there is time to interrupt it.
      - listen: How can I help?
    on: { hours: hours, balance: hours }
  hours:
    steps:
      - say: We are open all day.
      - listen: Anything else?
    on: { hours: hours, balance: hours }
";

fn line() -> Arc<Line> {
    sim::line(dialplan::load(PLAN.as_bytes(), "wire.yaml").plan.expect("a plan"), &[])
}

/// What tcpdump would have written.
fn pcap(wire: &[Tapped]) -> Vec<u8> {
    let mut file = PcapWriter::new(Vec::new()).expect("a header");
    for tapped in wire {
        let (from, to) = if tapped.from_caller { ((1, 4_000), (2, 5_000)) } else { ((2, 5_000), (1, 4_000)) };
        let builder =
            PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4([127, 0, 0, from.0], [127, 0, 0, to.0], 64).udp(from.1, to.1);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &tapped.packet).expect("a frame");
        let length = bytes.len() as u32;
        file.write_packet(&PcapPacket::new(tapped.at, length, &bytes)).expect("written");
    }
    file.into_writer()
}

#[test]
fn a_capture_and_the_server_agree_within_a_frame() {
    let acts = vec![
        Act::Over("when are you open"),
        Act::Say("what is my balance"),
        Act::Say("when are you open"),
        Act::HangUp,
    ];
    let played = sim::play(&line(), Scenario::new(acts));
    let packets = capture::read(Cursor::new(pcap(&played.wire))).expect("a capture");
    let calls = talk::calls(&packets);
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    let answered: Vec<f32> = played
        .reports
        .iter()
        .filter_map(|(_, report)| match report {
            Report::Answered { latency, .. } => Some(latency.total_ms),
            _ => None,
        })
        .collect();
    let interrupted: Vec<f32> = played
        .reports
        .iter()
        .filter_map(|(_, report)| match report {
            Report::Interrupted { after_ms } => Some(*after_ms),
            _ => None,
        })
        .collect();
    assert_eq!(answered.len(), 3, "{:?}", played.reports);
    assert_eq!(interrupted.len(), 1);
    let near = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 20.0);
    assert!(near(&call.answer_ms, &answered), "capture {:?}, server {answered:?}", call.answer_ms);
    assert!(near(&call.barge_in_ms, &interrupted), "capture {:?}, server {interrupted:?}", call.barge_in_ms);
}

#[test]
fn what_is_no_capture_is_refused_and_a_cut_one_is_read_as_far_as_it_goes() {
    assert!(capture::read(Cursor::new(b"RIFF....WAVE".to_vec())).is_err());
    let tapped = Tapped { at: Duration::from_secs(1), from_caller: true, packet: vec![0x80; 172] };
    let whole = pcap(&[tapped.clone(), tapped]);
    let read = |bytes: &[u8]| capture::read(Cursor::new(bytes.to_vec())).map(|packets| packets.len()).ok();
    assert_eq!((read(&whole), read(&whole[..whole.len() - 30])), (Some(2), Some(1)));
}
