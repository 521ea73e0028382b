//! Enough of protobuf to read what is exported (opentelemetry-proto, `trace.proto`).

/// The fields of a message, each with its number.
pub(crate) struct Fields<'a>(Vec<(u64, Wire<'a>)>);

#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    pub(crate) fn of(mut bytes: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let value = match key & 7 {
                0 => Wire::Number(varint(&mut bytes)),
                1 => Wire::Number(u64::from_le_bytes(cut(&mut bytes, 8).try_into().unwrap())),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)).unwrap();
                    Wire::Bytes(cut(&mut bytes, length))
                }
                5 => Wire::Number(u32::from_le_bytes(cut(&mut bytes, 4).try_into().unwrap()).into()),
                kind => panic!("a field of kind {kind}"),
            };
            fields.push((key >> 3, value));
        }
        Self(fields)
    }

    /// All that have a number, as messages.
    pub(crate) fn all(&self, number: u64) -> Vec<Fields<'a>> {
        self.wires(number).map(|wire| Fields::of(bytes(wire))).collect()
    }

    /// The only one that has a number, as a message.
    pub(crate) fn one(&self, number: u64) -> Fields<'a> {
        let mut all = self.all(number);
        assert_eq!(all.len(), 1, "fields of number {number}");
        all.remove(0)
    }

    pub(crate) fn text(&self, number: u64) -> String {
        String::from_utf8(self.bytes(number).to_owned()).unwrap()
    }

    pub(crate) fn hex(&self, number: u64) -> String {
        self.bytes(number).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }

    pub(crate) fn number(&self, number: u64) -> u64 {
        match self.wires(number).next() {
            Some(Wire::Number(value)) => value,
            _ => 0,
        }
    }

    fn bytes(&self, number: u64) -> &'a [u8] {
        self.wires(number).next().map_or(&[], bytes)
    }

    fn wires(&self, number: u64) -> impl Iterator<Item = Wire<'a>> {
        self.0.iter().filter(move |(own, _)| *own == number).map(|(_, wire)| *wire)
    }
}

fn bytes(wire: Wire<'_>) -> &[u8] {
    match wire {
        Wire::Bytes(bytes) => bytes,
        Wire::Number(number) => panic!("{number} where bytes are expected"),
    }
}

fn cut<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (first, rest) = bytes.split_at(length);
    *bytes = rest;
    first
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = cut(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
