//! A build without a sound card's driver says so.

use anyhow::bail;

use super::super::Format;
use super::super::phone::{Phone, PhoneReport};
use super::Args;

/// There is none.
pub(super) enum Device {}

pub(super) fn list(_: Format) -> anyhow::Result<()> {
    open_nothing()
}

pub(super) fn open(_: &Args) -> anyhow::Result<Device> {
    open_nothing()
}

pub(super) async fn talk(_: Phone, device: Device, _: Format) -> anyhow::Result<PhoneReport> {
    match device {}
}

fn open_nothing<T>() -> anyhow::Result<T> {
    bail!("this build has no driver for sound cards; build it with `--features device`")
}
