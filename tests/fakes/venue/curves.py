"""Ed25519 and P-256 in plain integers, so that a signature is checked by other code than made it.

Both curves multiply a fixed point by a table of its multiples, four bits at a time: a check takes about
a millisecond once the table of its key exists. Nothing here is safe against timing: it is for tests.
"""

import hashlib


class Multiples:
    """Products of one point: [digit * 16^place] for all 64 places of a 256-bit number."""

    def __init__(self, add, zero, point):
        self.add, self.zero, self.rows = add, zero, []
        for _ in range(64):
            row = [zero]
            for _ in range(15):
                row.append(add(row[-1], point))
            self.rows.append(row)
            point = add(row[-1], point)

    def times(self, number):
        total = self.zero
        for row in self.rows:
            if number & 15:
                total = self.add(total, row[number & 15])
            number >>= 4
        return total


# ---------------------------------------------------------------- Ed25519 (RFC 8032), extended coordinates

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def edwards_add(a, b):
    ax, ay, az, at = a
    bx, by, bz, bt = b
    e = (ay - ax) * (by - bx) % P
    f = (ay + ax) * (by + bx) % P
    g = 2 * at * bt * D % P
    h = 2 * az * bz % P
    x, y, z, t = f - e, h - g, h + g, f + e
    return x * y % P, z * t % P, y * z % P, x * t % P


def edwards_point(raw):
    """The point of 32 bytes; None if there is none."""
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if len(raw) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def edwards_bytes(point):
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


EDWARDS_ZERO = (0, 1, 1, 0)
_tables = {}


def table(name, make):
    if name not in _tables:
        _tables[name] = make()
    return _tables[name]


def edwards_base():
    return table("ed25519", lambda: Multiples(edwards_add, EDWARDS_ZERO, edwards_point(
        bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666"))))


def edwards_secret(seed):
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254, digest[32:]


def ed25519_public(seed):
    return edwards_bytes(edwards_base().times(edwards_secret(seed)[0]))


def _challenge(r, public, text):
    return int.from_bytes(hashlib.sha512(r + public + text).digest(), "little") % ORDER


def ed25519_sign(seed, text):
    secret, prefix = edwards_secret(seed)
    public = ed25519_public(seed)
    nonce = int.from_bytes(hashlib.sha512(prefix + text).digest(), "little") % ORDER
    r = edwards_bytes(edwards_base().times(nonce))
    return r + ((nonce + _challenge(r, public, text) * secret) % ORDER).to_bytes(32, "little")


def ed25519_good(public, text, signature):
    if len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    point = edwards_point(public)
    if s >= ORDER or point is None:
        return False
    x, y, z, t = point
    minus = table(public, lambda: Multiples(edwards_add, EDWARDS_ZERO, (P - x, y, z, P - t)))
    found = edwards_add(edwards_base().times(s), minus.times(_challenge(signature[:32], public, text)))
    return edwards_bytes(found) == signature[:32]


# ---------------------------------------------------------------- P-256 (FIPS 186-4), Jacobian coordinates

Q = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    1,
)


def p256_double(a):
    x, y, z = a
    if not z or not y:
        return 0, 1, 0
    w = 3 * (x - z * z) * (x + z * z) % Q
    s = 4 * x * y * y % Q
    x3 = (w * w - 2 * s) % Q
    return x3, (w * (s - x3) - 8 * pow(y, 4, Q)) % Q, 2 * y * z % Q


def p256_add(a, b):
    if not a[2]:
        return b
    if not b[2]:
        return a
    ax, ay, az = a
    bx, by, bz = b
    az2, bz2 = az * az % Q, bz * bz % Q
    u1, u2 = ax * bz2 % Q, bx * az2 % Q
    s1, s2 = ay * bz2 * bz % Q, by * az2 * az % Q
    if u1 == u2:
        return p256_double(a) if s1 == s2 else (0, 1, 0)
    h, r = u2 - u1, s2 - s1
    h2 = h * h % Q
    h3, v = h2 * h % Q, u1 * h2 % Q
    x3 = (r * r - h3 - 2 * v) % Q
    return x3, (r * (v - x3) - s1 * h3) % Q, az * bz * h % Q


P256_ZERO = (0, 1, 0)


def p256_base():
    return table("p256", lambda: Multiples(p256_add, P256_ZERO, G))


def p256_affine(point):
    inverse = pow(point[2], -1, Q)
    return point[0] * inverse**2 % Q, point[1] * inverse**3 % Q


def p256_public(secret):
    return p256_affine(p256_base().times(secret))


def p256_good(public, text, signature):
    """ES256 as JWT has it: 32 bytes of r, 32 of s."""
    x, y = public
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 0 < r < N or not 0 < s < N or (y * y - x**3 + 3 * x - B) % Q:
        return False
    digest = int.from_bytes(hashlib.sha256(text).digest(), "big")
    inverse = pow(s, -1, N)
    multiples = table(public, lambda: Multiples(p256_add, P256_ZERO, (x, y, 1)))
    point = p256_add(p256_base().times(digest * inverse % N), multiples.times(r * inverse % N))
    return point[2] != 0 and p256_affine(point)[0] % N == r


def p256_sign(secret, text):
    digest = hashlib.sha256(text).digest()
    nonce = int.from_bytes(hashlib.sha512(secret.to_bytes(32, "big") + digest).digest(), "big") % N
    r = p256_affine(p256_base().times(nonce))[0] % N
    s = pow(nonce, -1, N) * (int.from_bytes(digest, "big") + r * secret) % N
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
