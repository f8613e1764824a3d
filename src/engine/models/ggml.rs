//! Writes whisper.cpp's model file out of CTranslate2 weights: matrices as q8_0, convolutions as f16, the rest as f32.
//!
//! ```text
//! magic | 11 × i32 hyper-parameters | mel filters | vocabulary | tensors: (i32 rank, name length, type, dims, name, data)
//! ```
//! The layout is that of whisper.cpp's `whisper_model_load`; dimensions stand innermost first. The tensors' names are
//! OpenAI's. CTranslate2 keeps query, key and value in one matrix; Whisper's keys have no bias, so theirs is zero.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use half::f16;

use super::ct2::{Tensor, Weights};
use super::error::ConvertError;
use super::npz::Filters;

const MAGIC: u32 = 0x6767_6d6c;
/// `GGML_FTYPE_MOSTLY_Q8_0` at quantisation version 2, as whisper.cpp packs the two.
const FILE_TYPE: i32 = 7 + 2 * 1000;
/// Numbers that share one scale in q8_0.
const BLOCK: usize = 32;
/// Width of one attention head in every Whisper model.
const HEAD_WIDTH: usize = 64;
/// The largest vocabulary of a Whisper model has 51,866 tokens.
const MAX_TOKENS: usize = 200_000;

/// How a tensor is stored; the numbers are `ggml_type`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    F32 = 0,
    F16 = 1,
    Q8 = 8,
}

/// The byte strings of a tiktoken file, in order of rank: lines of base64 and rank.
pub(super) fn vocabulary(tiktoken: &[u8]) -> Result<Vec<Vec<u8>>, ConvertError> {
    let bad = |line: usize| ConvertError::Format(format!("line {} is not `base64 rank` in order", line + 1));
    let mut tokens = Vec::new();
    for (number, line) in tiktoken.split(|&b| b == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let (token, rank) =
            std::str::from_utf8(line).ok().and_then(|l| l.split_once(' ')).ok_or_else(|| bad(number))?;
        if tokens.len() >= MAX_TOKENS || rank.trim().parse() != Ok(tokens.len()) {
            return Err(bad(number));
        }
        // The multilingual list ends in a token of no bytes, which is written so.
        let token = if token == "=" { "" } else { token };
        tokens.push(STANDARD.decode(token).map_err(|_| bad(number))?);
    }
    Ok(tokens)
}

/// Writes the whole model. The same input gives the same bytes.
pub(super) fn write(
    weights: &Weights<'_>,
    filters: &Filters,
    vocabulary: &[Vec<u8>],
    out: &mut impl Write,
) -> Result<(), ConvertError> {
    let mut writer = Writer { weights, out };
    writer.header(filters)?;
    writer.ints(&[filters.rows, filters.columns])?;
    for value in &filters.values {
        writer.out.write_all(&value.to_le_bytes())?;
    }
    writer.ints(&[vocabulary.len()])?;
    for token in vocabulary {
        writer.ints(&[token.len()])?;
        writer.out.write_all(token)?;
    }
    writer.encoder()?;
    writer.decoder()?;
    writer.out.flush()?;
    Ok(())
}

struct Writer<'a, W> {
    weights: &'a Weights<'a>,
    out: &'a mut W,
}

impl<W: Write> Writer<'_, W> {
    fn ints(&mut self, values: &[usize]) -> Result<(), ConvertError> {
        for &value in values {
            let value = i32::try_from(value).map_err(|_| ConvertError::Format(format!("{value} is too large")))?;
            self.out.write_all(&value.to_le_bytes())?;
        }
        Ok(())
    }

    fn header(&mut self, filters: &Filters) -> Result<(), ConvertError> {
        let shape = |name: &str| self.weights.of_rank(name, 2).map(|t| (t.shape[0], t.shape[1]));
        let (vocabulary, text_state) = shape("decoder/embeddings/weight")?;
        let (audio_context, audio_state) = shape("encoder/position_encodings/encodings")?;
        let (text_context, _) = shape("decoder/position_encodings/encodings")?;
        let heads = match self.weights.heads() {
            Some(heads) => heads as usize,
            None => audio_state / HEAD_WIDTH,
        };
        let (encoder, decoder) = (self.weights.layers("encoder"), self.weights.layers("decoder"));
        if encoder == 0 || decoder == 0 {
            return Err(ConvertError::Format("it has no layers".to_string()));
        }
        self.out.write_all(&MAGIC.to_le_bytes())?;
        self.ints(&[vocabulary, audio_context, audio_state, heads, encoder])?;
        self.ints(&[text_context, text_state, heads, decoder, filters.rows])?;
        self.out.write_all(&FILE_TYPE.to_le_bytes())?;
        Ok(())
    }

    fn encoder(&mut self) -> Result<(), ConvertError> {
        self.named("encoder.positional_embedding", "encoder/position_encodings/encodings", Stored::F32)?;
        for conv in ["conv1", "conv2"] {
            self.named(&format!("encoder.{conv}.weight"), &format!("encoder/{conv}/weight"), Stored::F16)?;
            // whisper.cpp adds it along time, so it is a column.
            let mut bias = self.weights.of_rank(&format!("encoder/{conv}/bias"), 1)?.clone();
            bias.shape.push(1);
            self.tensor(&format!("encoder.{conv}.bias"), &bias, Stored::F32)?;
        }
        for n in 0..self.weights.layers("encoder") {
            self.block(&format!("encoder.blocks.{n}"), &format!("encoder/layer_{n}"), false)?;
        }
        self.norm("encoder.ln_post", "encoder/layer_norm")
    }

    fn decoder(&mut self) -> Result<(), ConvertError> {
        self.named("decoder.token_embedding.weight", "decoder/embeddings/weight", Stored::Q8)?;
        self.named("decoder.positional_embedding", "decoder/position_encodings/encodings", Stored::F32)?;
        for n in 0..self.weights.layers("decoder") {
            self.block(&format!("decoder.blocks.{n}"), &format!("decoder/layer_{n}"), true)?;
        }
        self.norm("decoder.ln", "decoder/layer_norm")
    }

    fn block(&mut self, to: &str, from: &str, cross: bool) -> Result<(), ConvertError> {
        self.norm(&format!("{to}.attn_ln"), &format!("{from}/self_attention/layer_norm"))?;
        self.heads(&format!("{to}.attn"), &format!("{from}/self_attention/linear_0"), &["query", "key", "value"])?;
        self.linear(&format!("{to}.attn.out"), &format!("{from}/self_attention/linear_1"))?;
        if cross {
            self.norm(&format!("{to}.cross_attn_ln"), &format!("{from}/attention/layer_norm"))?;
            self.linear(&format!("{to}.cross_attn.query"), &format!("{from}/attention/linear_0"))?;
            self.heads(&format!("{to}.cross_attn"), &format!("{from}/attention/linear_1"), &["key", "value"])?;
            self.linear(&format!("{to}.cross_attn.out"), &format!("{from}/attention/linear_2"))?;
        }
        self.norm(&format!("{to}.mlp_ln"), &format!("{from}/ffn/layer_norm"))?;
        self.linear(&format!("{to}.mlp.0"), &format!("{from}/ffn/linear_0"))?;
        self.linear(&format!("{to}.mlp.2"), &format!("{from}/ffn/linear_1"))
    }

    fn norm(&mut self, to: &str, from: &str) -> Result<(), ConvertError> {
        self.named(&format!("{to}.weight"), &format!("{from}/gamma"), Stored::F32)?;
        self.named(&format!("{to}.bias"), &format!("{from}/beta"), Stored::F32)
    }

    fn linear(&mut self, to: &str, from: &str) -> Result<(), ConvertError> {
        self.named(&format!("{to}.weight"), &format!("{from}/weight"), Stored::Q8)?;
        self.named(&format!("{to}.bias"), &format!("{from}/bias"), Stored::F32)
    }

    /// One matrix of stacked projections, taken apart.
    fn heads(&mut self, to: &str, from: &str, names: &[&str]) -> Result<(), ConvertError> {
        let weight = self.weights.of_rank(&format!("{from}/weight"), 2)?;
        let bias = self.weights.of_rank(&format!("{from}/bias"), 1)?;
        for (part, name) in names.iter().enumerate() {
            self.tensor(&format!("{to}.{name}.weight"), &weight.split(part, names.len())?, Stored::Q8)?;
            let bias = bias.split(part, names.len())?;
            if *name != "key" {
                self.tensor(&format!("{to}.{name}.bias"), &bias, Stored::F32)?;
            } else if bias.floats()?.any(|b| b != 0.0) {
                return Err(ConvertError::Format(format!("`{from}` has a bias on its keys, which Whisper has not")));
            }
        }
        Ok(())
    }

    fn named(&mut self, to: &str, from: &str, stored: Stored) -> Result<(), ConvertError> {
        let tensor = self.weights.tensor(from)?;
        self.tensor(to, tensor, stored)
    }

    fn tensor(&mut self, name: &str, tensor: &Tensor<'_>, stored: Stored) -> Result<(), ConvertError> {
        let innermost = tensor.shape.last().copied().unwrap_or(0);
        if stored == Stored::Q8 && (tensor.shape.len() != 2 || innermost % BLOCK != 0) {
            let reason = format!("`{name}` of shape {:?} cannot be quantised in blocks of {BLOCK}", tensor.shape);
            return Err(ConvertError::Format(reason));
        }
        self.ints(&[tensor.shape.len(), name.len(), stored as usize])?;
        for &dim in tensor.shape.iter().rev() {
            self.ints(&[dim])?;
        }
        self.out.write_all(name.as_bytes())?;
        let mut values = tensor.floats()?;
        match stored {
            Stored::F32 => values.try_for_each(|v| self.out.write_all(&v.to_le_bytes()))?,
            Stored::F16 => values.try_for_each(|v| self.out.write_all(&f16::from_f32(v).to_le_bytes()))?,
            Stored::Q8 => {
                let mut block = [0.0; BLOCK];
                for _ in 0..tensor.shape.iter().product::<usize>() / BLOCK {
                    block.iter_mut().zip(&mut values).for_each(|(slot, value)| *slot = value);
                    self.out.write_all(&quantised(&block))?;
                }
            }
        }
        Ok(())
    }
}

/// A q8_0 block: a scale as f16, then the numbers divided by it, as bytes.
///
/// The quotient is rounded half to even and taken with the scale before it is rounded to f16, as ggml's vector code does.
fn quantised(block: &[f32; BLOCK]) -> [u8; 2 + BLOCK] {
    let largest = block.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
    let scale = largest / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let mut bytes = [0; 2 + BLOCK];
    bytes[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for (byte, value) in bytes[2..].iter_mut().zip(block) {
        *byte = (value * inverse).round_ties_even() as i8 as u8;
    }
    bytes
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::ct2::tests::Builder;
    use super::*;

    const STATE: u32 = 32;

    /// A Whisper of one layer a side, 32 wide, four mel bands.
    pub(in super::super) fn tiny(key_bias: f32) -> Vec<u8> {
        let mut b = Builder::new();
        let fill = |b: &mut Builder, name: &str, shape: &[u32]| {
            let n = shape.iter().product::<u32>();
            let values: Vec<f32> = (0..n).map(|i| (i % 17) as f32 / 8.0 - 1.0).collect();
            b.f16(name, shape, &values);
        };
        let linear = |b: &mut Builder, name: &str, out: u32, stacked: u32| {
            fill(b, &format!("{name}/weight"), &[out * stacked, STATE]);
            let mut bias = vec![0.25; (out * stacked) as usize];
            if stacked > 1 {
                let key = if stacked == 3 { out as usize } else { 0 };
                bias[key..key + out as usize].fill(key_bias);
            }
            b.f16(&format!("{name}/bias"), &[out * stacked], &bias);
        };
        let norm = |b: &mut Builder, name: &str| {
            fill(b, &format!("{name}/gamma"), &[STATE]);
            fill(b, &format!("{name}/beta"), &[STATE]);
        };
        for side in ["encoder", "decoder"] {
            fill(&mut b, &format!("{side}/position_encodings/encodings"), &[10, STATE]);
            let layer = format!("{side}/layer_0");
            norm(&mut b, &format!("{layer}/self_attention/layer_norm"));
            linear(&mut b, &format!("{layer}/self_attention/linear_0"), STATE, 3);
            linear(&mut b, &format!("{layer}/self_attention/linear_1"), STATE, 1);
            norm(&mut b, &format!("{layer}/ffn/layer_norm"));
            linear(&mut b, &format!("{layer}/ffn/linear_0"), STATE, 1);
            linear(&mut b, &format!("{layer}/ffn/linear_1"), STATE, 1);
            norm(&mut b, &format!("{side}/layer_norm"));
        }
        norm(&mut b, "decoder/layer_0/attention/layer_norm");
        linear(&mut b, "decoder/layer_0/attention/linear_0", STATE, 1);
        linear(&mut b, "decoder/layer_0/attention/linear_1", STATE, 2);
        linear(&mut b, "decoder/layer_0/attention/linear_2", STATE, 1);
        for (conv, bands) in [("conv1", 4), ("conv2", STATE)] {
            fill(&mut b, &format!("encoder/{conv}/weight"), &[STATE, bands, 3]);
            fill(&mut b, &format!("encoder/{conv}/bias"), &[STATE]);
        }
        fill(&mut b, "decoder/embeddings/weight", &[20, STATE]);
        b.finish(&[])
    }

    /// Reads a ggml file back: its 11 hyper-parameters, and name, type, dims and bytes of each tensor.
    type Parsed = (Vec<i32>, Vec<(String, i32, Vec<usize>, Vec<u8>)>);
    fn read(mut file: &[u8]) -> Parsed {
        fn int(file: &mut &[u8]) -> i32 {
            let (head, rest) = file.split_at(4);
            *file = rest;
            i32::from_le_bytes(head.try_into().unwrap())
        }
        assert_eq!(int(&mut file) as u32, MAGIC);
        let hyper: Vec<i32> = (0..11).map(|_| int(&mut file)).collect();
        let filters = int(&mut file) * int(&mut file);
        file = &file[filters as usize * 4..];
        for _ in 0..int(&mut file) {
            let n = int(&mut file) as usize;
            file = &file[n..];
        }
        let mut tensors = Vec::new();
        while !file.is_empty() {
            let (rank, name, kind) = (int(&mut file), int(&mut file) as usize, int(&mut file));
            let dims: Vec<usize> = (0..rank).map(|_| int(&mut file) as usize).collect();
            let count: usize = dims.iter().product();
            let bytes = match kind {
                0 => count * 4,
                1 => count * 2,
                8 => count / 32 * 34,
                other => panic!("type {other}"),
            };
            let (name, rest) = file.split_at(name);
            let (data, rest) = rest.split_at(bytes);
            tensors.push((String::from_utf8(name.to_vec()).unwrap(), kind, dims, data.to_vec()));
            file = rest;
        }
        (hyper, tensors)
    }

    fn converted(model: &[u8]) -> Result<Vec<u8>, ConvertError> {
        let weights = Weights::parse(model).unwrap();
        let filters = Filters { rows: 4, columns: 3, values: vec![0.5; 12] };
        let mut out = Vec::new();
        write(&weights, &filters, &[b"a".to_vec(), b"bc".to_vec()], &mut out)?;
        Ok(out)
    }

    #[test]
    fn a_small_whisper_becomes_what_whisper_cpp_reads() {
        let (hyper, tensors) = read(&converted(&tiny(0.0)).unwrap());
        // vocabulary, audio context, state, heads, layers; text context, state, heads, layers; mels, type.
        assert_eq!(hyper, [20, 10, 32, 0, 1, 10, 32, 0, 1, 4, 2007]);
        let find = |name: &str| tensors.iter().find(|t| t.0 == name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(find("encoder.conv1.weight").1, 1);
        assert_eq!(find("encoder.conv1.weight").2, [3, 4, 32]);
        assert_eq!(find("encoder.conv1.bias").2, [1, 32]);
        assert_eq!(
            (find("decoder.token_embedding.weight").1, &find("decoder.token_embedding.weight").2[..]),
            (8, &[32, 20][..])
        );
        assert_eq!(find("encoder.positional_embedding").1, 0);
        assert_eq!(find("decoder.blocks.0.cross_attn.value.weight").2, [32, 32]);
        assert!(tensors.iter().all(|t| !t.0.ends_with("key.bias")));
        // encoder: 5 + 15 + 2; decoder: 2 + 24 + 2.
        assert_eq!(tensors.len(), 50);
    }

    #[test]
    fn keys_with_a_bias_are_refused() {
        let error = converted(&tiny(0.5)).unwrap_err().to_string();
        assert!(error.contains("bias on its keys"), "{error}");
    }

    #[test]
    fn a_block_holds_its_scale_and_rounded_quotients() {
        let mut block = [0.0; BLOCK];
        block[0] = -127.0;
        block[1] = 3.4;
        block[2] = 2.5;
        let bytes = quantised(&block);
        assert_eq!(f16::from_le_bytes([bytes[0], bytes[1]]), f16::ONE);
        assert_eq!([bytes[2] as i8, bytes[3] as i8, bytes[4] as i8], [-127, 3, 2]);
        assert_eq!(quantised(&[0.0; BLOCK]), [0; 2 + BLOCK]);
    }

    #[test]
    fn a_vocabulary_is_read_in_order_or_refused() {
        assert_eq!(vocabulary(b"IQ== 0\nIg== 1\n").unwrap(), [b"!".to_vec(), b"\"".to_vec()]);
        assert_eq!(vocabulary(b"IQ== 0\n= 1\n").unwrap(), [b"!".to_vec(), Vec::new()]);
        for bad in [&b"IQ== 1\n"[..], b"IQ==\n", b"??? 0\n", b"\xff\xff 0\n", b"IQ== 0\nIg== 0\n"] {
            assert!(vocabulary(bad).unwrap_err().to_string().contains("line"), "{bad:?}");
        }
    }
}
