//! Numbers as text.

/// Append a whole number.
pub fn push_integer(number: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut place = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        place -= 1;
        digits[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[place..]);
}

/// Append a number with at least so many digits.
pub fn push_padded(number: i64, width: usize, out: &mut Vec<u8>) {
    let begin = out.len();
    push_integer(number, out);
    while out.len() - begin < width {
        out.insert(begin, b'0');
    }
}

/// A decimal number: its digits without zeros at the end, and the power of ten of the first one.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i32,
}

impl Decimal {
    /// From text like `1.25e-3`.
    fn parse(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        while digits.len() > 1 && digits.last() == Some(&b'0') {
            digits.pop();
        }
        Self { negative: mantissa.starts_with('-'), digits, exponent: exponent.parse().unwrap_or(0) }
    }

    /// How many digits follow the decimal point.
    fn decimals(&self) -> u32 {
        (self.digits.len() as i32 - 1 - self.exponent).max(0) as u32
    }

    /// Append it as Python writes numbers with these limits of the exponent; `.0` follows a whole number if `point`.
    fn push(&self, limit: i32, point: bool, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        if self.exponent < -4 || self.exponent >= limit {
            out.push(self.digits[0]);
            if self.digits.len() > 1 {
                out.push(b'.');
                out.extend_from_slice(&self.digits[1..]);
            }
            out.extend_from_slice(if self.exponent < 0 { b"e-" } else { b"e+" });
            push_padded(self.exponent.unsigned_abs().into(), 2, out);
            return;
        }
        if self.exponent < 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', (-1 - self.exponent) as usize));
            out.extend_from_slice(&self.digits);
            return;
        }
        let whole = self.exponent as usize + 1;
        out.extend(self.digits.iter().copied().chain(std::iter::repeat(b'0')).take(whole));
        if self.digits.len() > whole {
            out.push(b'.');
            out.extend_from_slice(&self.digits[whole..]);
        } else if point {
            out.extend_from_slice(b".0");
        }
    }
}

/// A double that lies halfway between two shortest texts has at least so many digits: the last one counts less than the
/// distance to the next double, which is a 2^53rd of it or more.
const HALFWAY_DIGITS: usize = 16;

/// The shortest decimal number that is read as the same double; of two that are as near, the even one, as Python has it.
fn shortest(number: f64) -> Decimal {
    let text = format!("{number:e}");
    let found = Decimal::parse(&text);
    if found.digits.len() >= HALFWAY_DIGITS {
        // Rounded to as many digits, and in the middle to the even one, where the shortest text goes up.
        let even = format!("{number:.*e}", found.digits.len() - 1);
        if even != text && even.parse() == Ok(number) {
            return Decimal::parse(&even);
        }
    }
    found
}

/// Append a finite number as Python's `repr` writes it: the shortest text that is read as the same double.
pub fn push_float(number: f64, out: &mut Vec<u8>) {
    if number == number.trunc() && number.abs() < 1e15 && !(number == 0.0 && number.is_sign_negative()) {
        push_integer(number as i64, out);
        out.extend_from_slice(b".0");
        return;
    }
    shortest(number).push(16, true, out);
}

/// Append a finite number of single precision.
pub fn push_single(number: f32, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{number:e}").as_bytes());
}

/// Append a finite number as a decimal with at most so many digits after the point (any, if None), judged by the 15 digits
/// that spreadsheet programs show if it has more; false, and nothing is appended, if it still has more.
pub fn push_decimal(number: f64, scale: Option<u32>, out: &mut Vec<u8>) -> bool {
    let Some(scale) = scale else {
        push_float(number, out);
        return true;
    };
    if number == number.trunc() && number.abs() < 1e15 || shortest(number).decimals() <= scale {
        push_float(number, out);
        return true;
    }
    let shown = Decimal::parse(&format!("{number:.14e}"));
    if shown.decimals() > scale {
        return false;
    }
    shown.push(15, false, out);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(number: f64) -> String {
        let mut out = Vec::new();
        push_float(number, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_written_as_python_does() {
        let numbers = [0.0, -0.0, 1.0, -1.5, 0.1, 1e15, 1e16, 123456789012345680.0, 1.5e-5, 1e-4, 0.00012, 1e22, 5e-324];
        let texts = [
            "0.0", "-0.0", "1.0", "-1.5", "0.1", "1000000000000000.0", "1e+16", "1.2345678901234568e+17", "1.5e-05",
            "0.0001", "0.00012", "1e+22", "5e-324",
        ];
        for (number, text) in numbers.into_iter().zip(texts) {
            assert_eq!(float(number), text);
        }
    }

    #[test]
    fn of_two_shortest_texts_the_even_one_is_written() {
        assert_eq!(float(562949953421312.25), "562949953421312.2");
        assert_eq!(float(-562949953421312.75), "-562949953421312.8");
        assert_eq!(float(1125899906842624.25), "1125899906842624.2");
        assert_eq!(float(562949953421313.125), "562949953421313.1");
        assert_eq!(float(70368744177664.625), "70368744177664.62");
        assert_eq!(float(8.0000152587890625), "8.000015258789062");
        assert_eq!(float(1.00000762939453125), "1.0000076293945312");
        assert_eq!(float(2.384185791015625e-7 * 43.0), "1.0251998901367188e-05");
    }

    #[test]
    fn decimals_are_judged_by_fifteen_digits() {
        let decimal = |number, scale| {
            let mut out = Vec::new();
            push_decimal(number, scale, &mut out).then(|| String::from_utf8(out).unwrap())
        };
        assert_eq!(decimal(57.699999999999996, Some(2)).as_deref(), Some("57.7"));
        assert_eq!(decimal(57.7, Some(2)).as_deref(), Some("57.7"));
        assert_eq!(decimal(57.701, Some(2)), None);
        assert_eq!(decimal(2.0, Some(0)).as_deref(), Some("2.0"));
        assert_eq!(decimal(57.701, None).as_deref(), Some("57.701"));
    }
}
