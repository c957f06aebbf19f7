"""What test_the_code_is_the_one_described expects: keyed BLAKE2b (RFC 7693) by hashlib
makes a key of the secret and the nonce; Poly1305 with it by RFC 8439, section 2.5.1."""
import hashlib

secret = bytes(range(32))
nonce = bytes(range(100, 132))
text = bytes(i * 7 % 256 for i in range(1000))
key = hashlib.blake2b(nonce, digest_size=32, key=secret).digest()

r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
total = 0
for at in range(0, len(text), 16):
    block = int.from_bytes(text[at:at + 16] + b"\1", "little")
    total = (total + block) * r % (2**130 - 5)
code = (total + int.from_bytes(key[16:], "little")) % 2**128
print("{ " + ", ".join(f"0x{b:02x}" for b in code.to_bytes(16, "little")) + " }")
