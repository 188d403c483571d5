//! Which versions and cipher suites of TLS a client gets an answer for: first messages written byte by
//! byte, since no library still offers what is refused.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use crate::support::adapter::{Adapter, config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TLS_1_0: u16 = 0x0301;
const TLS_1_1: u16 = 0x0302;
const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;

/// What the server says to the first message.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// It chose this suite.
    Hello(u16),
    /// It ended with this alert.
    Alert(u8),
}

const PROTOCOL_VERSION: Said = Said::Alert(70);
const HANDSHAKE_FAILURE: Said = Said::Alert(40);

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|it| it.to_be_bytes()).collect()
}

/// Bytes behind their length in `width` bytes.
fn sized(width: usize, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length[4 - width..], bytes].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), sized(2, content)].concat()
}

/// A ClientHello of this version that offers these suites.
fn client_hello(version: u16, suites: &[u16]) -> Vec<u8> {
    const X25519: u16 = 0x001d;
    // ECDSA with SHA-256, RSA-PSS with SHA-256, and the ones of SHA-1 that old clients had.
    let signatures = numbers(&[0x0403, 0x0804, 0x0401, 0x0203, 0x0201]);
    let mut extensions = [
        extension(10, &sized(2, &numbers(&[X25519, 0x0017]))),
        extension(11, &[1, 0]),
        extension(13, &sized(2, &signatures)),
    ]
    .concat();
    if version == TLS_1_3 {
        let share = [numbers(&[X25519]), sized(2, &[9; 32])].concat();
        extensions.extend(extension(43, &sized(1, &numbers(&[TLS_1_3]))));
        extensions.extend(extension(51, &sized(2, &share)));
    }
    let body = [
        numbers(&[version.min(TLS_1_2)]),
        vec![7; 32],
        sized(1, &[]),
        sized(2, &numbers(suites)),
        sized(1, &[0]),
        sized(2, &extensions),
    ]
    .concat();
    let message = [vec![1], sized(3, &body)].concat();
    [vec![0x16], numbers(&[TLS_1_0]), sized(2, &message)].concat()
}

async fn say(adapter: &Adapter, version: u16, suites: &[u16]) -> Said {
    let mut stream = TcpStream::connect(adapter.secure).await.unwrap();
    stream.write_all(&client_hello(version, suites)).await.unwrap();
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.unwrap();
    let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut record).await.unwrap();
    if head[0] == 0x15 {
        return Said::Alert(record[1]);
    }
    assert_eq!((head[0], record[0]), (0x16, 2), "neither an alert nor a ServerHello");
    // Type and length, version, random, the session's id with its length; then the suite.
    let suite = 4 + 2 + 32 + 1 + usize::from(record[38]);
    Said::Hello(u16::from_be_bytes([record[suite], record[suite + 1]]))
}

#[tokio::test]
async fn tls_1_3_and_1_2_with_aead_suites_are_spoken_and_nothing_older() {
    const ECDSA_AES128_GCM: u16 = 0xc02b;
    const ECDSA_CHACHA20: u16 = 0xcca9;
    const AES128_GCM: u16 = 0x1301;
    // ECDHE with CBC and SHA-1 or SHA-2, RSA key exchange with CBC or GCM, 3DES, RC4.
    let old = [0xc009, 0xc00a, 0xc023, 0xc024, 0x002f, 0x0035, 0x003c, 0x009c, 0x000a, 0x0005];
    let adapter = Adapter::start(&config(&[], &[])).await;
    for suite in old {
        assert_eq!(say(&adapter, TLS_1_2, &[suite]).await, HANDSHAKE_FAILURE, "{suite:#06x}");
    }
    let with_old = [&old[..], &[ECDSA_AES128_GCM]].concat();
    for (version, suites, said) in [
        (TLS_1_0, &with_old[..], PROTOCOL_VERSION),
        (TLS_1_1, &with_old[..], PROTOCOL_VERSION),
        (TLS_1_2, &old[..], HANDSHAKE_FAILURE),
        (TLS_1_2, &with_old[..], Said::Hello(ECDSA_AES128_GCM)),
        (TLS_1_2, &[ECDSA_CHACHA20], Said::Hello(ECDSA_CHACHA20)),
        (TLS_1_3, &[AES128_GCM], Said::Hello(AES128_GCM)),
    ] {
        assert_eq!(say(&adapter, version, suites).await, said, "{version:#06x} {suites:x?}");
    }
}
