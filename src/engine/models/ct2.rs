//! Reads a CTranslate2 model file (binary version 6, as `WhisperSpec` has it), in place and without trusting it.
//!
//! ```text
//! u32 version | str spec | u32 revision | u32 count | count × (str name, u8 rank, rank × u32 dim, u8 type, u32 bytes, data)
//! u32 aliases | aliases × (str alias, str name)          str: u16 length with its NUL, bytes; all little-endian
//! ```

use std::collections::BTreeMap;

use half::f16;

use super::error::ConvertError;

const VERSION: u32 = 6;
const SPEC: &str = "WhisperSpec";
/// A Whisper model has a few hundred variables; a count beyond this is noise.
const MAX_VARIABLES: u32 = 100_000;
const MAX_RANK: u8 = 4;

/// How a variable's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F16,
    I8,
    I16,
    I32,
}

impl Kind {
    fn from_id(id: u8) -> Option<Self> {
        [Self::F32, Self::I8, Self::I16, Self::I32, Self::F16].get(usize::from(id)).copied()
    }
    const fn width(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::I16 => 2,
            Self::I8 => 1,
        }
    }
}

/// A variable: row-major numbers of `shape`, or a run of its leading rows.
#[derive(Debug, Clone)]
pub(super) struct Tensor<'a> {
    pub(super) shape: Vec<usize>,
    kind: Kind,
    data: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// Its numbers; an error unless it is float.
    pub(super) fn floats(&self) -> Result<Box<dyn Iterator<Item = f32> + 'a>, ConvertError> {
        let data = self.data;
        match self.kind {
            Kind::F32 => Ok(Box::new(data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])))),
            Kind::F16 => Ok(Box::new(data.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()))),
            Kind::I8 | Kind::I16 | Kind::I32 => Err(ConvertError::Format("its weights are not float".to_string())),
        }
    }
    /// The `part`-th of `parts` equal runs of rows.
    pub(super) fn split(&self, part: usize, parts: usize) -> Result<Tensor<'a>, ConvertError> {
        let rows = self.shape.first().copied().unwrap_or(0);
        if parts == 0 || rows % parts != 0 || part >= parts {
            return Err(ConvertError::Format(format!("{rows} rows do not split into {parts}")));
        }
        let bytes = self.data.len() / parts;
        let mut shape = self.shape.clone();
        shape[0] = rows / parts;
        Ok(Tensor { shape, kind: self.kind, data: &self.data[part * bytes..(part + 1) * bytes] })
    }
    /// The one whole number of a scalar.
    fn integer(&self) -> Option<i32> {
        match (self.kind, self.data) {
            (Kind::I8, &[b]) => Some(i32::from(i8::from_le_bytes([b]))),
            (Kind::I16, &[a, b]) => Some(i32::from(i16::from_le_bytes([a, b]))),
            (Kind::I32, &[a, b, c, d]) => Some(i32::from_le_bytes([a, b, c, d])),
            _ => None,
        }
    }
}

/// A parsed model file.
#[derive(Debug)]
pub(super) struct Weights<'a> {
    variables: BTreeMap<&'a str, Tensor<'a>>,
}

impl<'a> Weights<'a> {
    /// Parses the whole file.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, ConvertError> {
        let mut reader = Reader { bytes, at: 0 };
        let (version, spec, _revision) =
            (reader.u32("its version")?, reader.text("its kind")?, reader.u32("its kind")?);
        if version != VERSION || spec != SPEC {
            return Err(ConvertError::Format(format!(
                "it is `{spec}` version {version}, not `{SPEC}` version {VERSION}"
            )));
        }
        let count = reader.u32("the count of variables")?;
        if count > MAX_VARIABLES {
            return Err(ConvertError::Format(format!("it claims {count} variables")));
        }
        let mut variables = BTreeMap::new();
        for _ in 0..count {
            let name = reader.text("a variable's name")?;
            variables.insert(name, reader.tensor(name)?);
        }
        for _ in 0..reader.u32("the count of aliases")?.min(MAX_VARIABLES) {
            let (alias, name) = (reader.text("an alias")?, reader.text("an alias")?);
            let target = variables.get(name).cloned();
            variables.insert(alias, target.ok_or_else(|| ConvertError::Format(format!("alias of unknown `{name}`")))?);
        }
        if reader.at != bytes.len() {
            return Err(ConvertError::Format(format!("{} bytes follow its end", bytes.len() - reader.at)));
        }
        Ok(Self { variables })
    }
    /// A variable by its full name.
    pub(super) fn tensor(&self, name: &str) -> Result<&Tensor<'a>, ConvertError> {
        self.variables.get(name).ok_or_else(|| ConvertError::Format(format!("it has no `{name}`")))
    }
    /// A variable that must have `rank` dimensions.
    pub(super) fn of_rank(&self, name: &str, rank: usize) -> Result<&Tensor<'a>, ConvertError> {
        let tensor = self.tensor(name)?;
        if tensor.shape.len() != rank {
            return Err(ConvertError::Format(format!("`{name}` has {} dimensions, not {rank}", tensor.shape.len())));
        }
        Ok(tensor)
    }
    /// Layers below `side` ("encoder" or "decoder"), counted from 0 without a gap.
    pub(super) fn layers(&self, side: &str) -> usize {
        let has = |n: &usize| self.variables.contains_key(format!("{side}/layer_{n}/ffn/linear_0/weight").as_str());
        (0..).take_while(has).count()
    }
    /// Mel bands that the first convolution takes.
    pub(super) fn mel_bands(&self) -> Result<usize, ConvertError> {
        Ok(self.of_rank("encoder/conv1/weight", 3)?.shape[1])
    }
    /// Attention heads, if the file says.
    pub(super) fn heads(&self) -> Option<i32> {
        self.variables.get("encoder/num_heads").and_then(Tensor::integer).filter(|&heads| heads > 0)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], ConvertError> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or(ConvertError::Truncated { what, at: self.bytes.len() })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ConvertError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }
    fn u32(&mut self, what: &'static str) -> Result<u32, ConvertError> {
        self.array(what).map(u32::from_le_bytes)
    }
    fn text(&mut self, what: &'static str) -> Result<&'a str, ConvertError> {
        let length = usize::from(u16::from_le_bytes(self.array(what)?));
        let text = self.take(length, what)?.strip_suffix(&[0]);
        text.and_then(|t| std::str::from_utf8(t).ok()).ok_or_else(|| ConvertError::Format(format!("{what} is no text")))
    }
    fn tensor(&mut self, name: &str) -> Result<Tensor<'a>, ConvertError> {
        let [rank] = self.array("a variable's rank")?;
        if rank > MAX_RANK {
            return Err(ConvertError::Format(format!("`{name}` has {rank} dimensions")));
        }
        let mut shape = Vec::with_capacity(usize::from(rank));
        for _ in 0..rank {
            shape.push(self.u32("a variable's shape")? as usize);
        }
        let [id] = self.array("a variable's type")?;
        let kind = Kind::from_id(id).ok_or_else(|| ConvertError::Format(format!("`{name}` has unknown type {id}")))?;
        let bytes = self.u32("a variable's size")? as usize;
        let wanted = shape.iter().try_fold(kind.width(), |size, &dim| size.checked_mul(dim));
        if wanted != Some(bytes) {
            return Err(ConvertError::Format(format!("`{name}` has {bytes} bytes for shape {shape:?}")));
        }
        Ok(Tensor { shape, kind, data: self.take(bytes, "a variable's data")? })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Builds a model file.
    pub(in super::super) struct Builder {
        body: Vec<u8>,
        count: u32,
    }

    impl Builder {
        pub(in super::super) fn new() -> Self {
            Self { body: Vec::new(), count: 0 }
        }
        fn text(&mut self, text: &str) {
            self.body.extend((text.len() as u16 + 1).to_le_bytes());
            self.body.extend(text.as_bytes());
            self.body.push(0);
        }
        fn head(&mut self, name: &str, shape: &[u32], id: u8, bytes: u32) {
            self.count += 1;
            self.text(name);
            self.body.push(shape.len() as u8);
            self.body.extend(shape.iter().flat_map(|d| d.to_le_bytes()));
            self.body.push(id);
            self.body.extend(bytes.to_le_bytes());
        }
        pub(in super::super) fn f16(&mut self, name: &str, shape: &[u32], values: &[f32]) {
            assert_eq!(shape.iter().product::<u32>() as usize, values.len(), "{name}");
            self.head(name, shape, 4, 2 * values.len() as u32);
            self.body.extend(values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()));
        }
        pub(in super::super) fn i8(&mut self, name: &str, value: i8) {
            self.head(name, &[], 1, 1);
            self.body.extend(value.to_le_bytes());
        }
        pub(in super::super) fn finish(self, aliases: &[(&str, &str)]) -> Vec<u8> {
            let mut file = Self::new();
            file.body.extend(VERSION.to_le_bytes());
            file.text(SPEC);
            file.body.extend(3u32.to_le_bytes());
            file.body.extend(self.count.to_le_bytes());
            file.body.extend(self.body);
            file.body.extend((aliases.len() as u32).to_le_bytes());
            for (alias, name) in aliases {
                file.text(alias);
                file.text(name);
            }
            file.body
        }
    }

    fn small() -> Vec<u8> {
        let mut builder = Builder::new();
        builder.f16("encoder/conv1/weight", &[2, 3, 1], &[1.0, 2.0, 3.0, 4.0, 5.0, -6.5]);
        builder.i8("encoder/num_heads", 6);
        builder.finish(&[("copy", "encoder/conv1/weight")])
    }

    #[test]
    fn variables_scalars_and_aliases_are_read() {
        let bytes = small();
        let weights = Weights::parse(&bytes).unwrap();
        assert_eq!(weights.mel_bands().unwrap(), 3);
        assert_eq!(weights.heads(), Some(6));
        let copy = weights.tensor("copy").unwrap();
        assert_eq!(copy.floats().unwrap().collect::<Vec<_>>(), [1.0, 2.0, 3.0, 4.0, 5.0, -6.5]);
        assert_eq!(copy.split(1, 2).unwrap().floats().unwrap().collect::<Vec<_>>(), [4.0, 5.0, -6.5]);
        assert!(copy.split(0, 3).is_err() && copy.split(2, 2).is_err());
        assert!(weights.tensor("absent").is_err() && weights.of_rank("copy", 2).is_err());
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = small();
        for cut in 0..bytes.len() {
            assert!(Weights::parse(&bytes[..cut]).is_err(), "cut at {cut} of {}", bytes.len());
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Weights::parse(&longer).unwrap_err().to_string().contains("1 bytes follow"));
    }

    #[test]
    fn no_changed_byte_makes_it_panic_or_allocate_wildly() {
        let bytes = small();
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut hostile = bytes.clone();
                hostile[at] = value;
                if let Ok(weights) = Weights::parse(&hostile) {
                    for tensor in weights.variables.values() {
                        let numbers: usize = tensor.shape.iter().product();
                        assert!(numbers <= bytes.len());
                    }
                }
            }
        }
    }

    #[test]
    fn another_kind_of_model_is_named() {
        let mut bytes = small();
        bytes[0] = 5;
        let error = Weights::parse(&bytes).unwrap_err().to_string();
        assert_eq!(error, "it is `WhisperSpec` version 5, not `WhisperSpec` version 6");
    }
}
