use std::io::{BufRead, BufReader, SeekFrom};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::*;

/// Rate, left channel and right channel of a WAV, by another's reader; `Err` when it is not valid.
fn read(path: &Path) -> (u32, Vec<i16>, Vec<i16>) {
    let mut reader = hound::WavReader::open(path).expect("a valid WAV");
    assert_eq!(reader.spec().channels, 2);
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>().expect("whole samples");
    let channel = |which| samples.iter().copied().skip(which).step_by(2).collect();
    (reader.spec().sample_rate, channel(0), channel(1))
}

fn piece(left: i16, right: i16, pairs: usize) -> Vec<i16> {
    [left, right].repeat(pairs)
}

/// A disk in memory that checks after every write that a reader would be content, or that fills up.
#[derive(Clone)]
struct Watched {
    bytes: Arc<Mutex<Vec<u8>>>,
    at: u64,
    room: usize,
}

impl Watched {
    fn new(room: usize) -> Self {
        Self { bytes: Arc::default(), at: 0, room }
    }
    fn creator(&self) -> Create {
        let disk = self.clone();
        Box::new(move |_| Ok(Box::new(disk.clone())))
    }
}

impl Write for Watched {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut bytes = self.bytes.lock().expect("no writer panics");
        let at = self.at as usize;
        let taken = data.len().min(self.room.saturating_sub(at));
        if taken == 0 && !data.is_empty() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let end = bytes.len().max(at + taken);
        bytes.resize(end, 0);
        bytes[at..at + taken].copy_from_slice(&data[..taken]);
        self.at += taken as u64;
        let says = u32::from_le_bytes(bytes[40..44].try_into().expect("four bytes")) as usize;
        assert!(44 + says <= bytes.len(), "the header promises {says} bytes of {}", bytes.len() - 44);
        hound::WavReader::new(&bytes[..]).expect("valid at every moment");
        Ok(taken)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else { return Err(io::Error::from(io::ErrorKind::Unsupported)) };
        self.at = at;
        Ok(at)
    }
}

#[tokio::test]
async fn many_calls_at_once_each_keep_their_own_samples_and_rate() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = Recordings::start(folder.path(), 20_000).expect("a thread");
    let mut handles: Vec<_> = (0..100i16)
        .map(|n| recordings.open(&format!("call-{n}"), if n % 2 == 0 { 8_000 } else { 16_000 }).expect("a good id"))
        .collect();
    for _ in 0..50 {
        for (n, handle) in handles.iter_mut().enumerate() {
            let pairs = if n % 2 == 0 { 160 } else { 320 };
            handle.push(&piece(n as i16, -(n as i16), pairs));
        }
    }
    for (n, handle) in handles.into_iter().enumerate() {
        let recorded = handle.finish().await;
        assert_eq!(recorded.name, format!("recordings/call-{n}.wav"));
        assert_eq!((recorded.trouble, recorded.dropped_ms), (None, 0));
        let (rate, left, right) = read(&folder.path().join(format!("call-{n}.wav")));
        assert_eq!(rate, if n % 2 == 0 { 8_000 } else { 16_000 });
        assert_eq!(left, vec![n as i16; rate as usize]);
        assert_eq!(right, vec![-(n as i16); rate as usize]);
    }
}

#[tokio::test]
async fn what_the_queue_cannot_hold_becomes_silence_in_its_place() {
    // The disk takes nothing until the gate opens, so that the queue of four (one is the opening) surely fills.
    let folder = tempfile::tempdir().expect("a folder");
    let (gate, opened) = sync_channel::<()>(0);
    let opened = Mutex::new(opened);
    let create: Create = Box::new(move |path| {
        let _ = opened.lock().expect("one thread").recv();
        create_file(path)
    });
    let recordings = Recordings::start_with(folder.path(), 4, create).expect("a thread");
    let mut handle = recordings.open("full", 8_000).expect("a good id");
    for n in 1..=10i16 {
        handle.push(&piece(n, n, 160));
    }
    gate.send(()).expect("the disk thread waits");
    // The last piece comes when there is room again: it must stand where it belongs.
    while recordings.queue.try_send(Message::Finish { recording: u64::MAX }).is_err() {
        thread::yield_now();
    }
    let before = recordings.dropped();
    assert!((5..=7).contains(&before), "{before} of ten were dropped");
    let mut tries = 0;
    let last = loop {
        tries += 1;
        handle.push(&piece(99, 99, 160));
        if recordings.dropped() == before + tries - 1 {
            break (10 + tries - 1) as usize;
        }
    };
    let recorded = handle.finish().await;
    assert_eq!(recorded.dropped_ms, recordings.dropped() * 20);
    let (_, left, _) = read(&folder.path().join("full.wav"));
    assert_eq!(left.len(), (last + 1) * 160, "as long as the call");
    assert_eq!(left[..160], [1; 160]);
    assert_eq!(left[9 * 160..10 * 160], [0; 160], "the dropped tenth");
    assert_eq!(left[last * 160..], [99; 160], "in step again");
}

#[tokio::test]
async fn the_file_is_valid_after_every_write() {
    let disk = Watched::new(usize::MAX);
    let recordings = Recordings::start_with(Path::new("/nowhere"), 20_000, disk.creator()).expect("a thread");
    let mut handle = recordings.open("watched", 16_000).expect("a good id");
    for n in 0..500 {
        handle.push(&piece(n, n, 320));
    }
    assert_eq!(handle.finish().await.trouble, None);
    let bytes = disk.bytes.lock().expect("no writer panics");
    assert_eq!(bytes.len(), 44 + 500 * 320 * 4);
}

#[tokio::test]
async fn a_disk_that_fills_up_ends_one_recording_and_keeps_what_is_there() {
    let disk = Watched::new(50_000);
    let recordings = Recordings::start_with(Path::new("/nowhere"), 20_000, disk.creator()).expect("a thread");
    let mut handle = recordings.open("brimful", 8_000).expect("a good id");
    for _ in 0..500 {
        handle.push(&piece(7, 7, 160));
    }
    let recorded = handle.finish().await;
    assert!(recorded.trouble.is_some(), "{recorded:?}");
    let bytes = disk.bytes.lock().expect("no writer panics").clone();
    let kept: Vec<i16> =
        hound::WavReader::new(&bytes[..]).expect("valid").samples().map(|s| s.expect("whole")).collect();
    assert!(kept.len() > 10_000 && kept.iter().all(|s| *s == 7), "{} samples kept", kept.len());
}

#[tokio::test]
async fn the_kernels_full_device_is_reported_and_another_call_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let create: Create = Box::new(|path| {
        if path.ends_with("full.wav") {
            return Ok(Box::new(OpenOptions::new().write(true).open("/dev/full")?));
        }
        create_file(path)
    });
    let recordings = Recordings::start_with(folder.path(), 100, create).expect("a thread");
    let mut full = recordings.open("full", 8_000).expect("a good id");
    let mut good = recordings.open("good", 8_000).expect("a good id");
    full.push(&piece(1, 1, 160));
    good.push(&piece(1, 1, 160));
    let failure = full.finish().await.trouble.expect("no room");
    assert!(failure.contains("No space left"), "{failure}");
    assert_eq!(good.finish().await.trouble, None);
    assert_eq!(read(&folder.path().join("good.wav")).1.len(), 160);
}

#[tokio::test]
async fn a_recording_that_is_there_is_not_overwritten_and_a_missing_folder_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = Recordings::start(folder.path(), 100).expect("a thread");
    let mut first = recordings.open("twice", 8_000).expect("a good id");
    first.push(&piece(1, 1, 160));
    assert_eq!(first.finish().await.trouble, None);
    let second = recordings.open("twice", 8_000).expect("a good id");
    assert!(second.finish().await.trouble.is_some());
    assert_eq!(read(&folder.path().join("twice.wav")).1.len(), 160);

    let nowhere = Recordings::start(&folder.path().join("absent"), 100).expect("a thread");
    assert!(nowhere.open("x", 8_000).expect("a good id").finish().await.trouble.is_some());
}

#[test]
fn an_id_that_would_leave_the_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = Recordings::start(folder.path(), 100).expect("a thread");
    for id in ["../x", "a/b", "", ".", "..", "a.wav", "/etc/passwd", "a\0b", &"x".repeat(65)] {
        assert!(matches!(recordings.open(id, 8_000), Err(StoreError::BadId(_))), "{id:?}");
    }
}

/// Runs only as the child of the next test.
#[tokio::test]
#[ignore = "a process to be killed by `a_killed_process_leaves_a_valid_file`"]
async fn writer_that_is_killed() {
    let Ok(folder) = std::env::var("SIDETONE_TEST_KILLED_IN") else { return };
    let folder = PathBuf::from(folder);
    let recordings = Recordings::start(&folder, 1_000).expect("a thread");
    let mut handle = recordings.open("killed", 8_000).expect("a good id");
    for _ in 0..500 {
        handle.push(&piece(5, 6, 160));
    }
    let path = folder.join("killed.wav");
    // The header of a fresh file says 0: wait for the disk thread to bring it up to date, without an end of the call.
    while !std::fs::read(&path).is_ok_and(|bytes| bytes.len() > 44 && bytes[40..44] != [0; 4]) {
        thread::yield_now();
    }
    println!("\nwritten");
    std::future::pending::<()>().await;
}

#[test]
fn a_killed_process_leaves_a_valid_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "store::recordings::tests::writer_that_is_killed", "--ignored", "--nocapture"])
        .env("SIDETONE_TEST_KILLED_IN", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this binary again");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let written = out.lines().map_while(Result::ok).any(|line| line == "written");
    child.kill().expect("still there");
    child.wait().expect("ended");
    assert!(written, "the child has written");
    let (rate, left, right) = read(&folder.path().join("killed.wav"));
    assert_eq!(rate, 8_000);
    assert!(!left.is_empty() && left.iter().all(|s| *s == 5) && right.iter().all(|s| *s == 6));
}
