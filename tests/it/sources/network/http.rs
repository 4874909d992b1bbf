//! A static file server, just enough for a media file.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
};

/// Serves `dir` and returns the URL under which it is found. The server ends with the process.
pub fn serve(dir: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let dir = dir.clone();
            // A client that goes away in the middle is nothing to report.
            thread::spawn(move || answer(connection, &dir));
        }
    });
    base
}

fn answer(connection: TcpStream, dir: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    let mut request = String::new();
    while reader.read_line(&mut request)? > 2 {}
    let name = request.split([' ', '/']).nth(2).unwrap_or_default();
    let Ok(body) = fs::read(dir.join(name)) else {
        return writer.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let range = request.lines().find_map(|line| {
        let (first, last) = line.to_ascii_lowercase().strip_prefix("range: bytes=")?.split_once('-').map(
            |(first, last)| {
                (first.parse::<usize>().unwrap_or(0), last.trim().parse::<usize>().unwrap_or(body.len() - 1))
            },
        )?;
        Some((first.min(body.len()), last.min(body.len() - 1)))
    });
    let (status, first, last) = match range {
        Some((first, last)) => ("206 Partial Content", first, last),
        None => ("200 OK", 0, body.len() - 1),
    };
    let part = &body[first..=last.max(first)];
    write!(
        writer,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{last}/{}\r\nAccept-Ranges: bytes\r\n\
         Content-Type: video/mp4\r\nConnection: close\r\n\r\n",
        part.len(),
        body.len()
    )?;
    writer.write_all(part)
}
