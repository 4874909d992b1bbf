//! An RTSP server (RFC 2326) as a camera has one: RTP from ffmpeg, interleaved in the control connection.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::super::record::{FLASH_AND_BEEP, Running, ffmpeg};

/// The encoder, from PLAY on. It belongs to the camera, not to the thread that talks, so that it ends with the test.
type Encoder = Arc<Mutex<Option<Running>>>;

/// Serves one client.
pub struct Camera {
    address: SocketAddr,
    encoder: Encoder,
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.encoder.lock().unwrap().take();
    }
}

impl Camera {
    pub fn start() -> Self {
        let description = describe();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let encoder = Encoder::default();
        let owned = encoder.clone();
        thread::spawn(move || {
            let Ok((client, _)) = listener.accept() else { return };
            // A client that hangs up ends the conversation; that is no failure of the camera.
            let _ = converse(client, &description, &owned);
        });
        Self { address, encoder }
    }

    pub fn uri(&self) -> String {
        format!("rtsp://{}/camera", self.address)
    }
}

/// RTP and RTCP of one stream, on neighbouring ports as ffmpeg sends them.
fn port_pair() -> [UdpSocket; 2] {
    for _ in 0..100 {
        let first = UdpSocket::bind("127.0.0.1:0").unwrap();
        let next = first.local_addr().unwrap().port().wrapping_add(1);
        if let Ok(second) = UdpSocket::bind(("127.0.0.1", next)) {
            return [first, second];
        }
    }
    panic!("no two neighbouring ports are free");
}

/// Sends picture and sound in real time to two ports.
fn encode(ports: [u16; 2], sdp: &Path) -> Running {
    let inputs = FLASH_AND_BEEP.replace("-f lavfi", "-re -f lavfi");
    let [video, audio] = ports;
    // Without a limit, ffmpeg gathers sound for 0.7 s before it sends a packet; cameras do not.
    let mut command = ffmpeg(&format!(
        "{inputs} -map 0 -c:v libx264 -preset ultrafast -tune zerolatency -g 12 -flags +global_header \
         -f rtp rtp://127.0.0.1:{video} \
         -map 1 -c:a aac -flags +global_header -max_delay 50000 -f rtp rtp://127.0.0.1:{audio}"
    ));
    Running::start(command.arg("-sdp_file").arg(sdp))
}

/// What ffmpeg says about its streams, with names for SETUP in the place of its addresses.
fn describe() -> String {
    let dir = tempfile::tempdir().unwrap();
    let sdp = dir.path().join("camera.sdp");
    let pairs = [port_pair(), port_pair()];
    let _encoder = encode(pairs.each_ref().map(|pair| pair[0].local_addr().unwrap().port()), &sdp);
    for _ in 0..300 {
        let text = fs::read_to_string(&sdp).unwrap_or_default();
        if text.matches("a=rtpmap").count() == 2 && text.contains("config=") && text.contains("sprop") {
            let mut streams = 0;
            let lines = text.lines().skip_while(|line| !line.starts_with("v=")).map(|line| match line {
                _ if line.starts_with("m=") => {
                    streams += 1;
                    let kind = line.split(' ').next().unwrap();
                    let payload = line.rsplit(' ').next().unwrap();
                    format!("{kind} 0 RTP/AVP {payload}\r\na=control:stream={}\r\n", streams - 1)
                }
                _ => format!("{line}\r\n"),
            });
            return lines.collect();
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("ffmpeg writes no SDP to {}", sdp.display())
}

fn converse(client: TcpStream, description: &str, encoder: &Encoder) -> std::io::Result<()> {
    let writer = Arc::new(Mutex::new(client.try_clone()?));
    let mut reader = BufReader::new(client);
    loop {
        let Some(request) = next_request(&mut reader)? else { return Ok(()) };
        let header = |name: &str| {
            let prefix = format!("{name}: ");
            request.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default().to_owned()
        };
        let method = request.split(' ').next().unwrap_or_default();
        let (headers, body) = match method {
            "OPTIONS" => ("Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n".to_owned(), ""),
            "DESCRIBE" => (
                format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", description.len()),
                description,
            ),
            "SETUP" => (format!("Session: 1\r\nTransport: {}\r\n", header("Transport")), ""),
            _ => ("Session: 1\r\n".to_owned(), ""),
        };
        let answer = format!("RTSP/1.0 200 OK\r\nCSeq: {}\r\n{headers}\r\n{body}", header("CSeq"));
        writer.lock().unwrap().write_all(answer.as_bytes())?;
        if method == "PLAY" && encoder.lock().unwrap().is_none() {
            let pairs = [port_pair(), port_pair()];
            let ports = pairs.each_ref().map(|pair| pair[0].local_addr().unwrap().port());
            for (channel, socket) in pairs.into_iter().flatten().enumerate() {
                let writer = writer.clone();
                thread::spawn(move || forward(&socket, channel as u8, &writer));
            }
            *encoder.lock().unwrap() = Some(encode(ports, Path::new("/dev/null")));
        }
    }
}

/// The next request; what the client sends as RTCP in between is skipped.
fn next_request(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<String>> {
    let mut request = String::new();
    loop {
        match reader.fill_buf()?.first() {
            None => return Ok(None),
            Some(b'$') if request.is_empty() => {
                let mut header = [0; 4];
                reader.read_exact(&mut header)?;
                let mut packet = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
                reader.read_exact(&mut packet)?;
            }
            Some(_) => {
                if reader.read_line(&mut request)? <= 2 && request.len() > 2 {
                    return Ok(Some(request));
                }
            }
        }
    }
}

/// Sends RTP packets on `channel`: `$`, channel, length (RFC 2326 10.12).
fn forward(socket: &UdpSocket, channel: u8, writer: &Mutex<TcpStream>) -> std::io::Result<()> {
    let mut packet = [0; 2048];
    loop {
        let length = socket.recv(&mut packet[4..])?;
        packet[..2].copy_from_slice(&[b'$', channel]);
        packet[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        writer.lock().unwrap().write_all(&packet[..4 + length])?;
    }
}
