#!/bin/sh
# Makes a certificate authority and, signed by it, the certificate that Foresail serves the metrics APIs with.
set -eu

usage() {
    cat <<'USAGE'
usage: make-serving-cert.sh [--force] [--keep-ca-key]

Writes ca.crt, tls.crt and tls.key into the folder serving-cert beside this script.
Does nothing while a complete set is there that stays valid for 30 more days.

  --force        make a new set even so
  --keep-ca-key  keep the authority's private key (ca.key) and use it again next time, so
                 that the APIServices' caBundle stays the same; without it the key is
                 deleted, and nobody can sign with this authority again
USAGE
}

force=false
keep_ca_key=false
for argument in "$@"; do
    case "$argument" in
    --force) force=true ;;
    --keep-ca-key) keep_ca_key=true ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "make-serving-cert.sh: unknown argument: $argument" >&2
        usage >&2
        exit 2
        ;;
    esac
done

if ! command -v openssl >/dev/null 2>&1; then
    echo "make-serving-cert.sh: openssl is missing (Debian: apt-get install openssl)" >&2
    exit 1
fi

leaf_days=365
ca_days=3650
renew_before_seconds=$((30 * 24 * 60 * 60))
folder=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/serving-cert

public_key_of_certificate() { openssl x509 -in "$1" -noout -pubkey 2>/dev/null; }
public_key_of_key() { openssl pkey -in "$1" -pubout 2>/dev/null; }

# A set is good when the certificate leads to the authority, belongs to the key, and neither ends soon.
set_is_good() {
    for file in ca.crt tls.crt tls.key; do
        [ -s "$folder/$file" ] || return 1
    done
    for file in ca.crt tls.crt; do
        openssl x509 -in "$folder/$file" -noout -checkend "$renew_before_seconds" >/dev/null 2>&1 || return 1
    done
    openssl verify -purpose sslserver -CAfile "$folder/ca.crt" -untrusted "$folder/tls.crt" "$folder/tls.crt" >/dev/null 2>&1 || return 1
    [ "$(public_key_of_certificate "$folder/tls.crt")" = "$(public_key_of_key "$folder/tls.key")" ]
}

# A kept authority is used again as long as it outlives the certificate that it is to sign.
authority_is_reusable() {
    [ -s "$folder/ca.key" ] && [ -s "$folder/ca.crt" ] || return 1
    openssl x509 -in "$folder/ca.crt" -noout -checkend $((leaf_days * 24 * 60 * 60)) >/dev/null 2>&1 || return 1
    [ "$(public_key_of_certificate "$folder/ca.crt")" = "$(public_key_of_key "$folder/ca.key")" ]
}

if [ "$force" = false ] && set_is_good; then
    echo "kept: $folder ($(openssl x509 -in "$folder/tls.crt" -noout -enddate)); --force makes a new set"
    if [ "$keep_ca_key" = true ] && [ ! -s "$folder/ca.key" ]; then
        echo "make-serving-cert.sh: its authority's key was deleted already; --force --keep-ca-key makes a new authority" >&2
        exit 1
    fi
    exit 0
fi

# Everything is made in a folder of its own and moved at the end, so that an interruption leaves no half set behind.
umask 077
mkdir -p "$folder"
work=$(mktemp -d "$folder/.making.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

if authority_is_reusable; then
    cp "$folder/ca.crt" "$folder/ca.key" "$work/"
else
    cat >"$work/ca.conf" <<'CONF'
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = foresail serving certificate authority
[extensions]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
CONF
    new_key "$work/ca.key"
    openssl req -x509 -new -sha256 -config "$work/ca.conf" -key "$work/ca.key" -days "$ca_days" -out "$work/ca.crt"
fi

# kube-apiserver asks for the first name; the two on loopback are for a port-forward and for tests.
cat >"$work/leaf.conf" <<'CONF'
[req]
prompt = no
distinguished_name = name
[name]
CN = foresail.foresail-system.svc
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:foresail.foresail-system.svc, DNS:foresail.foresail-system.svc.cluster.local, DNS:foresail.foresail-system, DNS:localhost, IP:127.0.0.1
CONF
new_key "$work/tls.key"
openssl req -new -sha256 -config "$work/leaf.conf" -key "$work/tls.key" -out "$work/leaf.csr"
openssl x509 -req -sha256 -in "$work/leaf.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" \
    -set_serial "0x$(openssl rand -hex 15)" -days "$leaf_days" \
    -extfile "$work/leaf.conf" -extensions extensions -out "$work/tls.crt" 2>/dev/null
openssl verify -purpose sslserver -CAfile "$work/ca.crt" "$work/tls.crt" >/dev/null

chmod 600 "$work/tls.key" "$work/ca.key"
chmod 644 "$work/ca.crt" "$work/tls.crt"
rm -f "$folder/ca.key"
[ "$keep_ca_key" = false ] || mv "$work/ca.key" "$folder/ca.key"
mv "$work/ca.crt" "$work/tls.crt" "$work/tls.key" "$folder/"

echo "made: $folder ($(openssl x509 -in "$folder/tls.crt" -noout -enddate))"
