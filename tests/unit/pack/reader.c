/* Prints one weight's values, one per line, then the bytes of the packed tokenizer.json.
 * Written from docs/planck-format.md alone.  Usage: reader PACK TENSOR */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t begin, end; /* file offsets */
} range;

static void fail(const char *what) {
    fprintf(stderr, "reader: %s\n", what);
    exit(1);
}

/* The header's N bytes with a zero after them; N in *length. */
static char *read_header(FILE *file, uint64_t size, uint64_t *length) {
    unsigned char raw[8];
    if (size < 8 || fread(raw, 1, 8, file) != 8) fail("too short for a header length");
    *length = 0;
    for (int i = 7; i >= 0; i--) *length = *length << 8 | raw[i];
    if (*length > 100000000 || *length > size - 8) fail("impossible header length");
    char *header = malloc(*length + 1);
    if (!header) fail("no memory");
    if (fread(header, 1, *length, file) != *length) fail("header cut short");
    header[*length] = 0;
    if (strlen(header) != *length) fail("zero byte in the header");
    return header;
}

/* Where the tensors' entries begin: behind the first unescaped `"}`. */
static const char *after_metadata(const char *header) {
    static const char prefix[] = "{\"__metadata__\":{\"planck\":\"{\\\"checksum\\\":\\\"";
    if (strncmp(header, prefix, sizeof prefix - 1)) fail("not a pack");
    for (const char *p = header + sizeof prefix; *p; p++)
        if (p[0] == '"' && p[1] == '}' && p[-1] != '\\') return p + 2;
    fail("metadata without an end");
    return NULL;
}

static range find(const char *entries, const char *name, const char *dtype, uint64_t data,
                  uint64_t size) {
    char wanted[1024], kind[64];
    int n = snprintf(wanted, sizeof wanted, ",\"%s\":{\"data_offsets\":[", name);
    if (n < 0 || (size_t)n >= sizeof wanted) fail("name too long");
    const char *at = strstr(entries, wanted);
    if (!at) fail("no such tensor");
    uint64_t begin, end;
    int used = 0;
    if (sscanf(at + n, "%" SCNu64 ",%" SCNu64 "]%n", &begin, &end, &used) != 2 || !used)
        fail("no data_offsets");
    snprintf(kind, sizeof kind, ",\"dtype\":\"%s\"", dtype);
    if (strncmp(at + n + used, kind, strlen(kind))) fail("another dtype");
    if (begin > end || end > size - data) fail("offsets outside of the file");
    return (range){data + begin, data + end};
}

static unsigned char *read_range(FILE *file, range where) {
    size_t count = (size_t)(where.end - where.begin);
    unsigned char *bytes = malloc(count ? count : 1);
    if (!bytes) fail("no memory");
    if (fseek(file, (long)where.begin, SEEK_SET)) fail("cannot seek");
    if (fread(bytes, 1, count, file) != count) fail("data cut short");
    return bytes;
}

/* BF16 is the upper half of a float32. */
static float widen(const unsigned char *two) {
    uint32_t bits = (uint32_t)(two[0] | two[1] << 8) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int main(int argc, char **argv) {
    if (argc != 3) fail("usage: reader PACK TENSOR");
    FILE *file = fopen(argv[1], "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail("cannot open the pack");
    uint64_t size = (uint64_t)ftell(file), length;
    rewind(file);

    char *header = read_header(file, size, &length);
    const char *entries = after_metadata(header);
    range weight = find(entries, argv[2], "BF16", 8 + length, size);
    range asset = find(entries, "assets/tokenizer.json", "U8", 8 + length, size);

    unsigned char *values = read_range(file, weight);
    for (uint64_t i = 0; i < (weight.end - weight.begin) / 2; i++)
        printf("%.9g\n", widen(values + 2 * i));
    unsigned char *tokenizer = read_range(file, asset);
    fwrite(tokenizer, 1, (size_t)(asset.end - asset.begin), stdout);

    free(tokenizer);
    free(values);
    free(header);
    return fclose(file) ? 1 : 0;
}
