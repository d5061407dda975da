//! Reads requests, as far as the clients of the benchmark vary them: a request has a length, and the next one follows its
//! answer.

use memchr::{memchr_iter, memmem};

/// The head of a request: the operation of a call, or the path if it is not `/`; the bytes of the head and in all.
pub struct Head<'a> {
    pub target: &'a [u8],
    pub length: usize,
    pub whole: usize,
}

/// Returns the head of a request, None until it is complete.
pub fn read_head(data: &[u8]) -> Option<Head<'_>> {
    let end = memmem::find(data, b"\r\n\r\n")?;
    let (mut target, mut content, mut start) = (&data[..0], 0, 0);
    for end in memchr_iter(b'\n', &data[..end + 2]) {
        let line = &data[start..end];
        if start == 0 {
            target = line.split(|byte| *byte == b' ').nth(1)?;
        } else if let Some(value) = header(line, b"content-length:") {
            content = number(value);
        } else if let Some(value) = header(line, b"x-amz-target:") {
            target = value.rsplit(|byte| *byte == b'.').next()?;
        }
        start = end + 1;
    }
    Some(Head { target, length: end + 4, whole: end + 4 + content })
}

/// The value of a header in its line, if it has this name, in lower case with a colon.
fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// The digits at the beginning of a text as a number; 0 if there are none.
pub fn number(text: &[u8]) -> usize {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

/// The strings of a name in JSON, as of `"Id":`; no value of the benchmark has one within.
pub fn strings<'a>(content: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    memmem::find_iter(content, name).filter_map(move |place| {
        let value = content[place + name.len()..].trim_ascii_start().strip_prefix(b"\"")?;
        value.split(|byte| *byte == b'"').next()
    })
}

/// The number of a name in JSON, as of `"WaitTimeSeconds":`; 0 if it is not there.
pub fn named_number(content: &[u8], name: &[u8]) -> usize {
    memmem::find(content, name).map_or(0, |place| number(content[place + name.len()..].trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_the_operation_and_the_length() {
        let data = b"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\ncontent-length: 2\r\n\r\n{}";
        let head = read_head(data).unwrap();

        assert_eq!((head.target, head.length, head.whole), (&b"PutItem"[..], data.len() - 2, data.len()));
        assert!(read_head(&data[..40]).is_none());
    }

    #[test]
    fn a_control_request_has_its_path() {
        assert_eq!(read_head(b"GET /latency?ms=8 HTTP/1.1\r\n\r\n").unwrap().target, b"/latency?ms=8");
    }

    #[test]
    fn spaces_after_a_name_are_none_of_its_value() {
        let found: Vec<_> = strings(b"{\"Id\": \"1\",\"Id\":\"23\"}", b"\"Id\":").collect();

        assert_eq!(found, [&b"1"[..], b"23"]);
        assert_eq!(named_number(b"{\"WaitTimeSeconds\": 20}", b"\"WaitTimeSeconds\":"), 20);
    }
}
