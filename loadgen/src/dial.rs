//! Non-blocking connects, from as many source addresses as so many sockets need.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

/// Sockets that share one source address: fewer than the ports that Linux gives out to one.
const SOCKETS_PER_ADDRESS: usize = 20_000;

/// Starts to connect socket `number` to `target`; `receive_buffer` asks the kernel for so little
/// room that a slow reader is felt by the server at once.
///
/// # Errors
/// What the operating system says at once; what it says later, the socket's own error tells.
pub fn dial(
    target: SocketAddr,
    number: usize,
    receive_buffer: Option<usize>,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(size) = receive_buffer {
        socket.set_recv_buffer_size(size)?;
    }
    if let Some(source) = source_address(target, number) {
        socket.bind(&source.into())?;
    }
    match socket.connect(&target.into()) {
        Err(error) if !in_progress(&error) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Where a socket comes from: past the ports of one loopback address, the next one.
fn source_address(target: SocketAddr, number: usize) -> Option<SocketAddr> {
    let block = u8::try_from(number / SOCKETS_PER_ADDRESS).ok().filter(|&block| block > 0)?;
    match target.ip() {
        IpAddr::V4(ip) if ip.is_loopback() => {
            let source = Ipv4Addr::new(127, 0, 0, block.checked_add(1)?);
            Some(SocketAddr::new(source.into(), 0))
        }
        _ => None,
    }
}

fn in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_of_sockets_has_its_own_loopback_address() {
        let source = |target: &str, number| {
            let target: SocketAddr = target.parse().unwrap();
            source_address(target, number).map(|address| address.to_string())
        };
        assert_eq!(source("127.0.0.1:80", 19_999), None);
        assert_eq!(source("127.0.0.1:80", 20_000).as_deref(), Some("127.0.0.2:0"));
        assert_eq!(source("127.0.0.1:80", 59_999).as_deref(), Some("127.0.0.3:0"));
        assert_eq!(source("10.0.0.1:80", 59_999), None);
        assert_eq!(source("[::1]:80", 59_999), None);
    }

    #[test]
    fn a_socket_connects_from_another_loopback_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let _socket = dial(listener.local_addr().unwrap(), 25_000, None).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip().to_string(), "127.0.0.2");
    }
}
