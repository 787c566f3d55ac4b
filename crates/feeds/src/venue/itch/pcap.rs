//! Captures of network traffic in the classic pcap form: the UDP payloads in them, with the time
//! each was captured at.
//!
//! Source: the IETF draft "PCAP Capture File Format" (draft-ietf-opsawg-pcap). Read here:
//! Ethernet with any number of 802.1Q and 802.1ad tags, IPv4 and IPv6 without extension headers,
//! UDP. Both byte orders, microseconds and nanoseconds.

use market::Nanos;

/// Why a capture cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PcapError {
    /// It does not begin as one.
    #[error("not a pcap file")]
    NotPcap,
    /// The newer form, which is another.
    #[error("a pcapng file; convert it to the classic form (editcap -F nsecpcap)")]
    Pcapng,
    /// Captured elsewhere than on an Ethernet.
    #[error("packets of link type {0}; only Ethernet (1) is read")]
    LinkType(u32),
    /// A length that no capture has: what follows cannot be found.
    #[error("a packet of {0} bytes; at most {PACKET_BYTES_MAX}")]
    PacketLength(u32),
}

/// What was met in a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PcapCounts {
    /// Packets of any kind.
    pub packets: u64,
    /// Those that hold no whole UDP payload: other protocols, fragments, what was cut off.
    pub skipped: u64,
    /// Packets that the capture holds only the beginning of; they are skipped too.
    pub cut: u64,
}

/// Longest packet that a capture may have; what tcpdump and Wireshark allow.
const PACKET_BYTES_MAX: u32 = 262_144;

const FILE_HEAD: usize = 24;
const PACKET_HEAD: usize = 16;

const ETHERNET: u32 = 1;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLANS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const UDP: u8 = 17;

/// Reads a capture that comes in chunks.
#[derive(Debug, Default)]
pub struct Pcap {
    /// What is not whole yet: at most a packet.
    carry: Vec<u8>,
    form: Option<Form>,
    error: Option<PcapError>,
    counts: PcapCounts,
}

#[derive(Debug, Clone, Copy)]
struct Form {
    big_endian: bool,
    /// Nanoseconds of the smaller unit of time.
    unit: Nanos,
}

impl Form {
    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied();
        let word = word.unwrap_or_default();
        if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }
}

impl Pcap {
    /// Whether a file that begins with these four bytes is a capture, of the classic form or the
    /// newer one, which is refused with a better reason.
    #[must_use]
    pub fn begins(file: [u8; 4]) -> bool {
        !matches!(form(file), Err(PcapError::NotPcap))
    }

    /// What was met so far.
    #[must_use]
    pub fn counts(&self) -> PcapCounts {
        self.counts
    }

    /// Takes the next bytes of the file, and gives each UDP payload with its time.
    ///
    /// # Errors
    /// See [`PcapError`]; the same again for all that follows.
    pub fn receive(
        &mut self,
        chunk: &[u8],
        mut payload: impl FnMut(Nanos, &[u8]),
    ) -> Result<(), PcapError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(chunk);
        let used =
            self.read(&carry, &mut payload).inspect_err(|error| self.error = Some(*error))?;
        carry.drain(..used);
        self.carry = carry;
        Ok(())
    }

    /// Whether the last packet is not whole.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        !self.carry.is_empty()
    }

    /// Reads what is whole, and says how many bytes that was.
    fn read(
        &mut self,
        bytes: &[u8],
        payload: &mut impl FnMut(Nanos, &[u8]),
    ) -> Result<usize, PcapError> {
        let mut at = 0;
        let form = match self.form {
            Some(form) => form,
            None => {
                let Some(head) = bytes.first_chunk::<FILE_HEAD>() else { return Ok(0) };
                let form = form([head[0], head[1], head[2], head[3]])?;
                // The upper half may say how long frame checksums are.
                let link = form.u32(head, 20) & 0xffff;
                if link != ETHERNET {
                    return Err(PcapError::LinkType(link));
                }
                at = FILE_HEAD;
                *self.form.insert(form)
            }
        };
        while let Some(head) = bytes.get(at..at + PACKET_HEAD) {
            let (kept, sent) = (form.u32(head, 8), form.u32(head, 12));
            if kept > PACKET_BYTES_MAX {
                return Err(PcapError::PacketLength(kept));
            }
            let begin = at + PACKET_HEAD;
            let Some(frame) = bytes.get(begin..begin + kept as usize) else { break };
            at = begin + kept as usize;
            self.counts.packets += 1;
            self.counts.cut += u64::from(kept < sent);
            let seconds = Nanos::from(form.u32(head, 0)) * 1_000_000_000;
            let time = seconds + Nanos::from(form.u32(head, 4)) * form.unit;
            match udp_payload(frame) {
                Some(found) => payload(time, found),
                None => self.counts.skipped += 1,
            }
        }
        Ok(at)
    }
}

fn form(magic: [u8; 4]) -> Result<Form, PcapError> {
    let (big_endian, unit) = match magic {
        [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1_000),
        [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1),
        [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1_000),
        [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1),
        [0x0a, 0x0d, 0x0d, 0x0a] => return Err(PcapError::Pcapng),
        _ => return Err(PcapError::NotPcap),
    };
    Ok(Form { big_endian, unit })
}

/// The payload of a UDP packet in an Ethernet frame, if all of it is there.
fn udp_payload(frame: &[u8]) -> Option<&[u8]> {
    let mut rest = frame.get(12..)?;
    let mut kind = be16(rest, 0)?;
    while VLANS.contains(&kind) {
        rest = rest.get(4..)?;
        kind = be16(rest, 0)?;
    }
    let packet = rest.get(2..)?;
    let datagram = match kind {
        IPV4 => ipv4(packet)?,
        IPV6 => ipv6(packet)?,
        _ => return None,
    };
    let length = usize::from(be16(datagram, 4)?);
    datagram.get(8..length)
}

fn ipv4(packet: &[u8]) -> Option<&[u8]> {
    let head = usize::from(packet.first()? & 0x0f) * 4;
    let fragment = be16(packet, 6)? & 0x3fff;
    let is_udp = packet[0] >> 4 == 4 && *packet.get(9)? == UDP;
    // Short frames are padded: the length tells where the packet ends.
    let end = usize::from(be16(packet, 2)?);
    if is_udp && fragment == 0 && head >= 20 { packet.get(head..end) } else { None }
}

fn ipv6(packet: &[u8]) -> Option<&[u8]> {
    let is_udp = packet.first()? >> 4 == 6 && *packet.get(6)? == UDP;
    let end = 40 + usize::from(be16(packet, 4)?);
    if is_udp { packet.get(40..end) } else { None }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk::<2>()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn datagram(payload: &[u8]) -> Vec<u8> {
        let length = (8 + payload.len() as u16).to_be_bytes();
        [&[0x40, 1, 0x50, 2][..], &length, &[0, 0], payload].concat()
    }

    fn v4(payload: &[u8]) -> Vec<u8> {
        let body = datagram(payload);
        // With four bytes of options.
        let length = (24 + body.len() as u16).to_be_bytes();
        let head = [0x46, 0, length[0], length[1], 0, 0, 0x40, 0, 20, UDP];
        [&head[..], &[0; 14], &body].concat()
    }

    fn v6(payload: &[u8]) -> Vec<u8> {
        let body = datagram(payload);
        let length = (body.len() as u16).to_be_bytes();
        [&[0x60, 0, 0, 0, length[0], length[1], UDP, 64][..], &[0; 32], &body].concat()
    }

    fn ethernet(kinds: &[u16], packet: &[u8]) -> Vec<u8> {
        let mut frame = vec![7; 12];
        for (at, kind) in kinds.iter().enumerate() {
            frame.extend(kind.to_be_bytes());
            if at + 1 < kinds.len() {
                frame.extend([0, 141]);
            }
        }
        frame.extend_from_slice(packet);
        // Padding, as short frames have.
        frame.extend([0; 6]);
        frame
    }

    fn file(big_endian: bool, nanos: bool, frames: &[Vec<u8>]) -> Vec<u8> {
        let word = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut bytes = word(if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }).to_vec();
        bytes.extend([0; 16]);
        bytes.extend(word(ETHERNET));
        for (at, frame) in frames.iter().enumerate() {
            let length = frame.len() as u32;
            for value in [1_700_000_000, at as u32, length, length] {
                bytes.extend(word(value));
            }
            bytes.extend_from_slice(frame);
        }
        bytes
    }

    type Payloads = Vec<(Nanos, Vec<u8>)>;

    fn read(bytes: &[u8], step: usize) -> (Pcap, Payloads, Result<(), PcapError>) {
        let (mut pcap, mut found) = (Pcap::default(), Vec::new());
        let mut result = Ok(());
        for chunk in bytes.chunks(step) {
            result = pcap.receive(chunk, |time, payload| found.push((time, payload.to_vec())));
        }
        (pcap, found, result)
    }

    #[test]
    fn payloads_are_found_in_every_form_of_file() {
        let frames = [
            ethernet(&[IPV4], &v4(b"plain")),
            ethernet(&[0x8100, IPV4], &v4(b"tagged")),
            ethernet(&[0x88a8, 0x8100, IPV6], &v6(b"twice")),
            ethernet(&[0x0806], b"who has"),
        ];
        for (big_endian, nanos) in [(false, false), (false, true), (true, false), (true, true)] {
            let bytes = file(big_endian, nanos, &frames);
            for step in [1, 7, 10_000] {
                let (pcap, found, result) = read(&bytes, step);
                let unit = if nanos { 1 } else { 1_000 };
                let texts: Vec<_> = found.iter().map(|(_, text)| &text[..]).collect();
                assert_eq!(texts, [&b"plain"[..], b"tagged", b"twice"]);
                assert_eq!(found[2].0, 1_700_000_000_000_000_000 + 2 * unit);
                assert_eq!(pcap.counts(), PcapCounts { packets: 4, skipped: 1, cut: 0 });
                assert_eq!((result, pcap.is_torn()), (Ok(()), false));
            }
            assert!(read(&bytes[..bytes.len() - 1], 50).0.is_torn());
        }
    }

    #[test]
    fn fragments_and_what_was_cut_off_are_skipped() {
        let mut fragment = v4(b"fragment");
        fragment[6] = 0x20;
        let mut tcp = v4(b"tcp");
        tcp[9] = 6;
        let whole = ethernet(&[IPV4], &v4(b"cut off"));
        let frames = [
            ethernet(&[IPV4], &fragment),
            ethernet(&[IPV4], &tcp),
            whole[..whole.len() - 8].to_vec(),
            whole[..5].to_vec(),
        ];
        let (pcap, found, _) = read(&file(false, true, &frames), 1_000);
        assert_eq!((pcap.counts().skipped, found.len()), (4, 0));
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        assert_eq!(read(&[0; 30], 30).2, Err(PcapError::NotPcap));
        assert_eq!(read(&[0x0a, 0x0d, 0x0d, 0x0a].repeat(7), 28).2, Err(PcapError::Pcapng));
        let mut other_link = file(false, true, &[]);
        other_link[20] = 113;
        assert_eq!(read(&other_link, 30).2, Err(PcapError::LinkType(113)));
        let mut long = file(true, true, &[vec![0; 20]]);
        long[24 + 8] = 1;
        assert_eq!(read(&long, 5).2, Err(PcapError::PacketLength((1 << 24) + 20)));
        assert!(Pcap::begins([0x4d, 0x3c, 0xb2, 0xa1]) && !Pcap::begins([0, 12, b'S', 0]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(
            frames in proptest::collection::vec(any::<Vec<u8>>(), 0..6),
            at in 24usize..200,
            byte: u8,
        ) {
            let mut frames = frames;
            frames.push(ethernet(&[0x8100, IPV4], &v4(b"payload")));
            let mut bytes = file(false, true, &frames);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            drop(read(&bytes, 13));
        }
    }
}
