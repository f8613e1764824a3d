//! G.711 μ-law and A-law (ITU-T G.711, 11/1988): one byte a sample, logarithmic.
//!
//! Decoding is by table, encoding by segment. The 16-bit PCM here is the codec's own scale (14 bits for μ-law, 13 for
//! A-law) shifted to the top.

const MU_BIAS: i32 = 0x84;
const MU_CLIP: i32 = 32_635;

const MU_TABLE: [i16; 256] = mu_table();
const A_TABLE: [i16; 256] = a_table();

/// μ-law silence.
pub const MU_SILENCE: u8 = 0xFF;
/// A-law silence.
pub const A_SILENCE: u8 = 0xD5;

const fn mu_table() -> [i16; 256] {
    let mut out = [0; 256];
    let mut i = 0;
    while i < 256 {
        out[i] = mu_expand(i as u8);
        i += 1;
    }
    out
}

const fn a_table() -> [i16; 256] {
    let mut out = [0; 256];
    let mut i = 0;
    while i < 256 {
        out[i] = a_expand(i as u8);
        i += 1;
    }
    out
}

/// Table 2a/b of G.711: inverted bits, sign, three bits of segment, four of step.
const fn mu_expand(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 0x07;
    let step = (code & 0x0F) as i32;
    let magnitude = (((step << 3) + MU_BIAS) << segment) - MU_BIAS;
    (if code & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

/// Table 1a/b of G.711: even bits inverted, sign (1 is positive), three bits of segment, four of step.
const fn a_expand(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 0x07;
    let step = ((code & 0x0F) as i32) << 4;
    let magnitude = match segment {
        0 => step + 8,
        s => (step + 0x108) << (s - 1),
    };
    (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

/// One μ-law byte as 16-bit PCM.
pub fn mu_decode(code: u8) -> i16 {
    MU_TABLE[code as usize]
}

/// One A-law byte as 16-bit PCM.
pub fn a_decode(code: u8) -> i16 {
    A_TABLE[code as usize]
}

/// 16-bit PCM as a μ-law byte.
pub fn mu_encode(sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = i32::from(sample).abs().min(MU_CLIP) + MU_BIAS;
    // The bias puts the leading one into bits 7 to 14.
    let segment = 24 - magnitude.leading_zeros();
    let step = (magnitude >> (segment + 3)) & 0x0F;
    let code = (segment << 4) as u8 | step as u8 | if negative { 0x80 } else { 0 };
    !code
}

/// 16-bit PCM as an A-law byte.
pub fn a_encode(sample: i16) -> u8 {
    // A-law has no zero: the negative half is mirrored by one's complement.
    let (sign, magnitude) = if sample >= 0 { (0x80, i32::from(sample)) } else { (0, i32::from(!sample)) };
    let code = if magnitude < 256 {
        (magnitude >> 4) as u8
    } else {
        let segment = 24 - magnitude.leading_zeros();
        ((segment as u8) << 4) | ((magnitude >> (segment + 3)) & 0x0F) as u8
    };
    (sign | code) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Output values of G.711's tables 1a (A-law, 13 bits) and 2a (μ-law, 14 bits) by their construction: segment ends.
    #[test]
    fn table_corner_values_are_those_of_the_recommendation() {
        // μ-law, table 2a: character signal 10000000 -> 8031, 10001111 -> 4191, 11101111 -> 33... in 14 bits.
        for (code, value) in [(0x80, 8031), (0x8F, 4191), (0x90, 3999), (0xEF, 33), (0xF0, 30), (0xFE, 2), (0xFF, 0)] {
            assert_eq!(i32::from(mu_decode(code)), value * 4, "μ {code:#x}");
            assert_eq!(i32::from(mu_decode(code & 0x7F)), -value * 4, "μ {:#x}", code & 0x7F);
        }
        // A-law, table 1a before the inversion of even bits: 11111111 -> 4032, 10000000 -> 1 (of 4,096).
        for (code, value) in [(0xFF, 4032), (0xF0, 2112), (0xEF, 2016), (0x90, 33), (0x8F, 31), (0x80, 1)] {
            assert_eq!(i32::from(a_decode(code ^ 0x55)), value * 8, "A {code:#x}");
            assert_eq!(i32::from(a_decode((code & 0x7F) ^ 0x55)), -value * 8, "A {:#x}", code & 0x7F);
        }
    }

    /// Decision values (column 5 of the tables) on the 16-bit scale, built from the width of the intervals: the first
    /// segments, then sixteen intervals each, twice as wide as the ones before.
    fn decision_values(first: &[i32], segments: u32, width: i32) -> Vec<i32> {
        let mut values = first.to_vec();
        for segment in 0..segments {
            for _ in 0..16 {
                values.push(values.last().expect("not empty") + (width << segment));
            }
        }
        values
    }

    fn follows_the_definition(
        decisions: &[i32],
        magnitude: fn(i16) -> i32,
        encode: fn(i16) -> u8,
        decode: fn(u8) -> i16,
    ) {
        for sample in i16::MIN..=i16::MAX {
            let size = magnitude(sample);
            let interval = decisions.partition_point(|&d| d <= size).clamp(1, 128) - 1;
            // The output value is the middle of the interval; μ-law's first one is half as wide and stands for 0.
            let middle = (decisions[interval] + decisions[interval + 1]) / 2;
            let expected = if decisions[1] == 4 && interval == 0 { 0 } else { middle };
            let got = i32::from(decode(encode(sample)));
            assert_eq!(got, if sample < 0 { -expected } else { expected }, "{sample}");
        }
    }

    #[test]
    fn every_sample_takes_the_code_of_its_decision_interval() {
        // μ-law (table 2): 0, 1, 3, 5, … 31, then by 4 up to 95, … 8159, times 4.
        let first: Vec<i32> = std::iter::once(0).chain((0..16).map(|i| (1 + 2 * i) * 4)).collect();
        let mu = decision_values(&first, 7, 16);
        assert_eq!((mu.len(), mu[128]), (129, 8_159 * 4));
        follows_the_definition(&mu, |s| i32::from(s).abs(), mu_encode, mu_decode);
        // A-law (table 1): 0, 2, 4, … 64 of 4,096, then by 4, … times 8. A negative zero is not there: −1 is in the first.
        let first: Vec<i32> = (0..=32).map(|i| i * 16).collect();
        let a = decision_values(&first, 6, 32);
        assert_eq!((a.len(), a[128]), (129, 4_096 * 8));
        follows_the_definition(&a, |s| if s < 0 { i32::from(!s) } else { i32::from(s) }, a_encode, a_decode);
    }

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for code in 0..=255u8 {
            // μ-law has two zeros; both are zero as PCM.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(mu_encode(mu_decode(code)), expected);
            assert_eq!(a_encode(a_decode(code)), code);
        }
        assert_eq!((mu_decode(MU_SILENCE), a_decode(A_SILENCE)), (0, 8));
    }
}
