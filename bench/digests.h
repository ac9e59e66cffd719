/* What RADIUS is signed and hidden with, in portable C, for the load generator: MD5 (RFC 1321), MD4 (RFC 1320), SHA-1
 * (RFC 3174), HMAC-MD5 (RFC 2104), DES (FIPS 46-3) and the responses of MS-CHAPv2 (RFC 2759). Little-endian hosts;
 * messages are short. Nothing here is fit for keeping a secret. */
#include <stdint.h>
#include <string.h>

typedef struct { const void *at; size_t length; } piece;
#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define MESSAGE_MOST 8192

/* The pieces in a row, padded to whole blocks as MD4, MD5 and SHA-1 want it; gives the octets. */
static size_t padded(uint8_t *out, const piece *pieces, int count, int big_endian) {
    size_t n = 0;
    for (int i = 0; i < count; i++) { memcpy(out + n, pieces[i].at, pieces[i].length); n += pieces[i].length; }
    uint64_t bits = (uint64_t)n * 8;
    out[n++] = 0x80;
    while (n % 64 != 56) out[n++] = 0;
    for (int i = 0; i < 8; i++) out[n++] = (uint8_t)(bits >> 8 * (big_endian ? 7 - i : i));
    return n;
}

/* ---- MD5 ---- */
#define F1(x, y, z) (z ^ (x & (y ^ z)))
#define F2(x, y, z) F1(z, x, y)
#define F3(x, y, z) (x ^ y ^ z)
#define F4(x, y, z) (y ^ (x | ~z))
#define STEP(f, w, x, y, z, in, c, s) (w += f(x, y, z) + (in) + c, w = ROTATE(w, s) + x)
#define ROUND(f, s0, s1, s2, s3, c0, c1, c2, c3, i0, i1, i2, i3) \
    STEP(f, a, B, c, d, i[i0], c0, s0); STEP(f, d, a, B, c, i[i1], c1, s1); \
    STEP(f, c, d, a, B, i[i2], c2, s2); STEP(f, B, c, d, a, i[i3], c3, s3);
static void md5_block(uint32_t b[4], const uint8_t *p) {
    uint32_t i[16], a = b[0], B = b[1], c = b[2], d = b[3];
    memcpy(i, p, 64);
    ROUND(F1, 7, 12, 17, 22, 0xd76aa478u, 0xe8c7b756u, 0x242070dbu, 0xc1bdceeeu, 0, 1, 2, 3)
    ROUND(F1, 7, 12, 17, 22, 0xf57c0fafu, 0x4787c62au, 0xa8304613u, 0xfd469501u, 4, 5, 6, 7)
    ROUND(F1, 7, 12, 17, 22, 0x698098d8u, 0x8b44f7afu, 0xffff5bb1u, 0x895cd7beu, 8, 9, 10, 11)
    ROUND(F1, 7, 12, 17, 22, 0x6b901122u, 0xfd987193u, 0xa679438eu, 0x49b40821u, 12, 13, 14, 15)
    ROUND(F2, 5, 9, 14, 20, 0xf61e2562u, 0xc040b340u, 0x265e5a51u, 0xe9b6c7aau, 1, 6, 11, 0)
    ROUND(F2, 5, 9, 14, 20, 0xd62f105du, 0x02441453u, 0xd8a1e681u, 0xe7d3fbc8u, 5, 10, 15, 4)
    ROUND(F2, 5, 9, 14, 20, 0x21e1cde6u, 0xc33707d6u, 0xf4d50d87u, 0x455a14edu, 9, 14, 3, 8)
    ROUND(F2, 5, 9, 14, 20, 0xa9e3e905u, 0xfcefa3f8u, 0x676f02d9u, 0x8d2a4c8au, 13, 2, 7, 12)
    ROUND(F3, 4, 11, 16, 23, 0xfffa3942u, 0x8771f681u, 0x6d9d6122u, 0xfde5380cu, 5, 8, 11, 14)
    ROUND(F3, 4, 11, 16, 23, 0xa4beea44u, 0x4bdecfa9u, 0xf6bb4b60u, 0xbebfbc70u, 1, 4, 7, 10)
    ROUND(F3, 4, 11, 16, 23, 0x289b7ec6u, 0xeaa127fau, 0xd4ef3085u, 0x04881d05u, 13, 0, 3, 6)
    ROUND(F3, 4, 11, 16, 23, 0xd9d4d039u, 0xe6db99e5u, 0x1fa27cf8u, 0xc4ac5665u, 9, 12, 15, 2)
    ROUND(F4, 6, 10, 15, 21, 0xf4292244u, 0x432aff97u, 0xab9423a7u, 0xfc93a039u, 0, 7, 14, 5)
    ROUND(F4, 6, 10, 15, 21, 0x655b59c3u, 0x8f0ccc92u, 0xffeff47du, 0x85845dd1u, 12, 3, 10, 1)
    ROUND(F4, 6, 10, 15, 21, 0x6fa87e4fu, 0xfe2ce6e0u, 0xa3014314u, 0x4e0811a1u, 8, 15, 6, 13)
    ROUND(F4, 6, 10, 15, 21, 0xf7537e82u, 0xbd3af235u, 0x2ad7d2bbu, 0xeb86d391u, 4, 11, 2, 9)
    b[0] += a; b[1] += B; b[2] += c; b[3] += d;
}
static void md5(uint8_t out[16], const piece *pieces, int count) {
    static uint8_t buffer[MESSAGE_MOST];
    uint32_t s[4] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u};
    size_t n = padded(buffer, pieces, count, 0);
    for (size_t i = 0; i < n; i += 64) md5_block(s, buffer + i);
    memcpy(out, s, 16);
}

/* ---- HMAC-MD5 with one key ---- */
static uint8_t inner_pad[64], outer_pad[64];
static void hmac_key(const void *key, size_t length) {
    uint8_t block[64] = {0};
    if (length > 64) md5(block, (piece[]){{key, length}}, 1); else memcpy(block, key, length);
    for (int i = 0; i < 64; i++) { inner_pad[i] = block[i] ^ 0x36; outer_pad[i] = block[i] ^ 0x5c; }
}
static void hmac_md5(uint8_t out[16], const void *message, size_t length) {
    uint8_t inner[16];
    md5(inner, (piece[]){{inner_pad, 64}, {message, length}}, 2);
    md5(out, (piece[]){{outer_pad, 64}, {inner, 16}}, 2);
}

/* ---- MD4 ---- */
#define G2(x, y, z) ((x & y) | (x & z) | (y & z))
#define STEP4(f, w, x, y, z, k, c, s) (w += f(x, y, z) + i[k] + c, w = ROTATE(w, s))
#define ROUND4(f, c_, s0, s1, s2, s3, i0, i1, i2, i3) \
    STEP4(f, a, B, c, d, i0, c_, s0); STEP4(f, d, a, B, c, i1, c_, s1); \
    STEP4(f, c, d, a, B, i2, c_, s2); STEP4(f, B, c, d, a, i3, c_, s3);
static void md4(uint8_t out[16], const void *message, size_t length) {
    static uint8_t buffer[MESSAGE_MOST];
    uint32_t b[4] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u}, i[16];
    size_t n = padded(buffer, (piece[]){{message, length}}, 1, 0);
    for (size_t at = 0; at < n; at += 64) {
        uint32_t a = b[0], B = b[1], c = b[2], d = b[3];
        memcpy(i, buffer + at, 64);
        for (int r = 0; r < 16; r += 4) { ROUND4(F1, 0, 3, 7, 11, 19, r, r + 1, r + 2, r + 3) }
        for (int r = 0; r < 4; r++) { ROUND4(G2, 0x5a827999u, 3, 5, 9, 13, r, r + 4, r + 8, r + 12) }
        static const int third[4] = {0, 2, 1, 3};
        for (int r = 0; r < 4; r++) { int k = third[r]; ROUND4(F3, 0x6ed9eba1u, 3, 9, 11, 15, k, k + 8, k + 4, k + 12) }
        b[0] += a; b[1] += B; b[2] += c; b[3] += d;
    }
    memcpy(out, b, 16);
}

/* ---- SHA-1 ---- */
static void sha1(uint8_t out[20], const piece *pieces, int count) {
    static uint8_t buffer[MESSAGE_MOST];
    uint32_t h[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u}, w[80];
    size_t n = padded(buffer, pieces, count, 1);
    for (size_t at = 0; at < n; at += 64) {
        for (int t = 0; t < 16; t++) { uint32_t word; memcpy(&word, buffer + at + 4 * t, 4); w[t] = __builtin_bswap32(word); }
        for (int t = 16; t < 80; t++) w[t] = ROTATE(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int t = 0; t < 80; t++) {
            uint32_t f = t < 20 ? F1(b, c, d) + 0x5a827999u : t < 40 ? F3(b, c, d) + 0x6ed9eba1u
                       : t < 60 ? G2(b, c, d) + 0x8f1bbcdcu : F3(b, c, d) + 0xca62c1d6u;
            uint32_t next = ROTATE(a, 5) + f + e + w[t];
            e = d; d = c; c = ROTATE(b, 30); b = a; a = next;
        }
        h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e;
    }
    for (int t = 0; t < 5; t++) { uint32_t word = __builtin_bswap32(h[t]); memcpy(out + 4 * t, &word, 4); }
}

/* ---- DES, one block ---- */
static const uint8_t DES_IP[64] = {58,50,42,34,26,18,10,2,60,52,44,36,28,20,12,4,62,54,46,38,30,22,14,6,64,56,48,40,32,24,16,8,
    57,49,41,33,25,17,9,1,59,51,43,35,27,19,11,3,61,53,45,37,29,21,13,5,63,55,47,39,31,23,15,7};
static const uint8_t DES_FP[64] = {40,8,48,16,56,24,64,32,39,7,47,15,55,23,63,31,38,6,46,14,54,22,62,30,37,5,45,13,53,21,61,29,
    36,4,44,12,52,20,60,28,35,3,43,11,51,19,59,27,34,2,42,10,50,18,58,26,33,1,41,9,49,17,57,25};
static const uint8_t DES_P[32] = {16,7,20,21,29,12,28,17,1,15,23,26,5,18,31,10,2,8,24,14,32,27,3,9,19,13,30,6,22,11,4,25};
static const uint8_t DES_PC1[56] = {57,49,41,33,25,17,9,1,58,50,42,34,26,18,10,2,59,51,43,35,27,19,11,3,60,52,44,36,
    63,55,47,39,31,23,15,7,62,54,46,38,30,22,14,6,61,53,45,37,29,21,13,5,28,20,12,4};
static const uint8_t DES_PC2[48] = {14,17,11,24,1,5,3,28,15,6,21,10,23,19,12,4,26,8,16,7,27,20,13,2,
    41,52,31,37,47,55,30,40,51,45,33,48,44,49,39,56,34,53,46,42,50,36,29,32};
static const uint8_t DES_SHIFTS[16] = {1,1,2,2,2,2,2,2,1,2,2,2,2,2,2,1};
static const uint8_t DES_S[8][64] = {
    {14,4,13,1,2,15,11,8,3,10,6,12,5,9,0,7,0,15,7,4,14,2,13,1,10,6,12,11,9,5,3,8,
     4,1,14,8,13,6,2,11,15,12,9,7,3,10,5,0,15,12,8,2,4,9,1,7,5,11,3,14,10,0,6,13},
    {15,1,8,14,6,11,3,4,9,7,2,13,12,0,5,10,3,13,4,7,15,2,8,14,12,0,1,10,6,9,11,5,
     0,14,7,11,10,4,13,1,5,8,12,6,9,3,2,15,13,8,10,1,3,15,4,2,11,6,7,12,0,5,14,9},
    {10,0,9,14,6,3,15,5,1,13,12,7,11,4,2,8,13,7,0,9,3,4,6,10,2,8,5,14,12,11,15,1,
     13,6,4,9,8,15,3,0,11,1,2,12,5,10,14,7,1,10,13,0,6,9,8,7,4,15,14,3,11,5,2,12},
    {7,13,14,3,0,6,9,10,1,2,8,5,11,12,4,15,13,8,11,5,6,15,0,3,4,7,2,12,1,10,14,9,
     10,6,9,0,12,11,7,13,15,1,3,14,5,2,8,4,3,15,0,6,10,1,13,8,9,4,5,11,12,7,2,14},
    {2,12,4,1,7,10,11,6,8,5,3,15,13,0,14,9,14,11,2,12,4,7,13,1,5,0,15,10,3,9,8,6,
     4,2,1,11,10,13,7,8,15,9,12,5,6,3,0,14,11,8,12,7,1,14,2,13,6,15,0,9,10,4,5,3},
    {12,1,10,15,9,2,6,8,0,13,3,4,14,7,5,11,10,15,4,2,7,12,9,5,6,1,13,14,0,11,3,8,
     9,14,15,5,2,8,12,3,7,0,4,10,1,13,11,6,4,3,2,12,9,5,15,10,11,14,1,7,6,0,8,13},
    {4,11,2,14,15,0,8,13,3,12,9,7,5,10,6,1,13,0,11,7,4,9,1,10,14,3,5,12,2,15,8,6,
     1,4,11,13,12,3,7,14,10,15,6,8,0,5,9,2,6,11,13,8,1,4,10,7,9,5,0,15,14,2,3,12},
    {13,2,8,4,6,15,11,1,10,9,3,14,5,0,12,7,1,15,13,8,10,3,7,4,12,5,6,11,0,14,9,2,
     7,11,4,1,9,12,14,2,0,6,10,13,15,3,5,8,2,1,14,7,4,10,8,13,15,12,9,0,3,5,6,11}};
static uint32_t des_sp[8][64];

static uint64_t permuted(uint64_t in, int bits, const uint8_t *table, int count) {
    uint64_t out = 0;
    for (int i = 0; i < count; i++) out = out << 1 | (in >> (bits - table[i]) & 1);
    return out;
}
/* S-boxes and P in one look-up; call once. */
static void des_prepare(void) {
    for (int box = 0; box < 8; box++)
        for (int six = 0; six < 64; six++) {
            int row = (six >> 4 & 2) | (six & 1), column = six >> 1 & 15;
            uint64_t four = (uint64_t)DES_S[box][row * 16 + column] << (28 - 4 * box);
            des_sp[box][six] = (uint32_t)permuted(four, 32, DES_P, 32);
        }
}
static void des_encrypt(uint8_t out[8], const uint8_t in[8], uint64_t key) {
    uint64_t block = 0, both = permuted(key, 64, DES_PC1, 56);
    uint32_t c = (uint32_t)(both >> 28), d = (uint32_t)both & 0xfffffff;
    for (int i = 0; i < 8; i++) block = block << 8 | in[i];
    block = permuted(block, 64, DES_IP, 64);
    uint32_t left = (uint32_t)(block >> 32), right = (uint32_t)block;
    for (int r = 0; r < 16; r++) {
        int n = DES_SHIFTS[r];
        c = (c << n | c >> (28 - n)) & 0xfffffff;
        d = (d << n | d >> (28 - n)) & 0xfffffff;
        uint64_t k = permuted((uint64_t)c << 28 | d, 56, DES_PC2, 48);
        uint64_t wide = (uint64_t)(right & 1) << 33 | (uint64_t)right << 1 | right >> 31; /* E: six of these 34, each four on */
        uint32_t f = 0;
        for (int box = 0; box < 8; box++) f ^= des_sp[box][(wide >> (28 - 4 * box) & 63) ^ (k >> (42 - 6 * box) & 63)];
        uint32_t next = left ^ f;
        left = right; right = next;
    }
    block = permuted((uint64_t)right << 32 | left, 64, DES_FP, 64);
    for (int i = 7; i >= 0; i--) { out[i] = (uint8_t)block; block >>= 8; }
}

/* ---- MS-CHAPv2 ---- */
/* RFC 2759 §8.5: an 8-octet challenge under a hash of 16. */
static void challenge_response(uint8_t out[24], const uint8_t challenge[8], const uint8_t hash[16]) {
    uint8_t keys[21] = {0};
    memcpy(keys, hash, 16);
    for (int third = 0; third < 3; third++) {
        uint64_t bits = 0, key = 0;
        for (int i = 0; i < 7; i++) bits = bits << 8 | keys[7 * third + i];
        for (int i = 0; i < 8; i++) key = key << 8 | (bits >> (49 - 7 * i) & 0x7f) << 1;
        des_encrypt(out + 8 * third, challenge, key);
    }
}
/* RFC 2759 §8.1 and §8.7: the NT-Response, and the digest that the server has to show as "S=" and hexadecimal digits. */
static void mschapv2(uint8_t response[24], uint8_t proof[20], const uint8_t peer[16], const uint8_t challenge[16],
                     const char *user, const char *password) {
    static const char sign[] = "Magic server to client signing constant", more[] = "Pad to make it do more than one iteration";
    uint8_t wide[256], hash[16], hash_hash[16], digest[20];
    size_t n = strlen(password);
    for (size_t i = 0; i < n; i++) { wide[2 * i] = (uint8_t)password[i]; wide[2 * i + 1] = 0; }
    md4(hash, wide, 2 * n);
    md4(hash_hash, hash, 16);
    sha1(digest, (piece[]){{peer, 16}, {challenge, 16}, {user, strlen(user)}}, 3);
    uint8_t hashed[8];
    memcpy(hashed, digest, 8);
    challenge_response(response, hashed, hash);
    sha1(digest, (piece[]){{hash_hash, 16}, {response, 24}, {sign, 39}}, 3);
    sha1(proof, (piece[]){{digest, 20}, {hashed, 8}, {more, 41}}, 3);
}
