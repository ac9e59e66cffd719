/* stormload.c - a reconnect storm: everybody dials in at once (gcc -O2 -Wall -o stormload stormload.c, digests.h beside it)
 *
 *   stormload -p AUTH_PORT -q ACCT_PORT [-n users] [-s secret] [-d seconds]
 *
 * Each user authenticates (PAP with Message-Authenticator) and, when accepted, sends an accounting Start with the Class that
 * the Accept brought; what is not answered is sent again, octet for octet, after 3, 6, 12, 24, 24 ... seconds. All
 * Access-Requests are made before the clock starts, and then sent as fast as the kernel takes them. A user is on when the
 * Start is acknowledged. Replies are checked: Response Authenticator, Message-Authenticator if present.
 * Progress on stderr, one JSON line on stdout; all times are seconds from the start of the storm.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "digests.h"

enum { AUTHENTICATES, STARTS, IS_ON };
typedef struct { uint8_t state, tries; uint16_t length; uint8_t packet[284]; float on_at; } user;
typedef struct { uint64_t due; uint32_t who; uint8_t state, tries; } reminder;
typedef struct { reminder *at; size_t first, end, room; } queue;

#define LEVELS 4
#define PER_SOCKET 256
static const double WAITS[LEVELS] = {3, 6, 12, 24};
static const char *secret = "testing123";
static user *users;
static uint32_t count = 100000;
static int *sockets[2];
static queue queues[LEVELS]; /* by how long they wait: within each, who waits longest comes first */
static uint32_t accepted, on;
static uint64_t resent, rejected, strange, begun;

static uint64_t now_ns(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000ull + t.tv_nsec; }
static double since(void) { return (now_ns() - begun) / 1e9; }
static uint8_t *put(uint8_t *p, int kind, const void *value, size_t n) { *p++ = kind; *p++ = n + 2; memcpy(p, value, n); return p + n; }
static uint8_t *text(uint8_t *p, int kind, const char *value) { return put(p, kind, value, strlen(value)); }
static uint8_t *number(uint8_t *p, int kind, uint32_t value) { value = htonl(value); return put(p, kind, &value, 4); }

static uint8_t *line(uint8_t *p, uint32_t n) {
    char mac[32];
    snprintf(mac, sizeof mac, "02:00:%02X:%02X:%02X:%02X", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255);
    p = number(p, 4, 0x0a640001); p = text(p, 32, "bras1"); p = number(p, 5, 15728640 + n); p = number(p, 61, 15);
    p = text(p, 87, "ether2"); p = number(p, 6, 2); p = number(p, 7, 1);
    return text(p, 31, mac);
}
static void finish(user *u, int code, uint32_t who, uint8_t *end) {
    u->length = end - u->packet;
    u->packet[0] = code; u->packet[1] = who % PER_SOCKET; u->packet[2] = u->length >> 8; u->packet[3] = u->length & 255;
}
static void access_request(uint32_t who) {
    user *u = &users[who];
    char name[32], password[32];
    uint8_t *p = u->packet + 20, pad[16], hidden[16] = {0}, *mark;
    snprintf(name, sizeof name, "user%06u", who + 1);
    snprintf(password, sizeof password, "pass%06u", who + 1);
    for (int i = 0; i < 16; i++) u->packet[4 + i] = random();
    *p++ = 80; *p++ = 18; mark = p; memset(p, 0, 16); p += 16;
    p = text(p, 1, name);
    memcpy(hidden, password, strlen(password));
    md5(pad, (piece[]){{secret, strlen(secret)}, {u->packet + 4, 16}}, 2);
    for (int i = 0; i < 16; i++) hidden[i] ^= pad[i];
    p = line(put(p, 2, hidden, 16), who + 1);
    finish(u, 1, who, p);
    hmac_md5(mark, u->packet, u->length);
}
static void accounting_start(uint32_t who, const uint8_t *class_, int class_length) {
    user *u = &users[who];
    char name[32], session[32];
    uint8_t *p = u->packet + 20, authenticator[16];
    snprintf(name, sizeof name, "user%06u", who + 1);
    snprintf(session, sizeof session, "81%06x", who + 1);
    memset(u->packet + 4, 0, 16);
    p = number(p, 40, 1); p = text(p, 1, name); p = text(p, 44, session); p = number(p, 55, time(NULL));
    p = number(p, 8, 0x0a000000u | (who + 1));
    if (class_length > 2 && class_length < 64) { memcpy(p, class_, class_length); p += class_length; }
    p = line(p, who + 1);
    finish(u, 4, who, p);
    md5(authenticator, (piece[]){{u->packet, u->length}, {secret, strlen(secret)}}, 2);
    memcpy(u->packet + 4, authenticator, 16);
}

static void remember(uint32_t who, uint64_t now) {
    user *u = &users[who];
    int level = u->tries < LEVELS ? u->tries : LEVELS - 1;
    queue *q = &queues[level];
    if (q->end == q->room) {
        memmove(q->at, q->at + q->first, (q->end - q->first) * sizeof *q->at);
        q->end -= q->first; q->first = 0;
        if (2 * q->end >= q->room) { q->room = q->room ? 2 * q->room : 4096; q->at = realloc(q->at, q->room * sizeof *q->at); }
    }
    q->at[q->end++] = (reminder){now + (uint64_t)(WAITS[level] * 1e9), who, u->state, u->tries};
    u->tries++;
}
static void transmit(uint32_t who) {
    user *u = &users[who];
    send(sockets[u->state][who / PER_SOCKET], u->packet, u->length, MSG_DONTWAIT); /* what finds no room is sent again */
    remember(who, now_ns());
}
static void retransmit(void) {
    uint64_t now = now_ns();
    for (int level = 0; level < LEVELS; level++)
        for (queue *q = &queues[level]; q->first < q->end && q->at[q->first].due <= now;) {
            reminder r = q->at[q->first++];
            if (users[r.who].state != r.state || users[r.who].tries != r.tries + 1) continue;
            resent++;
            transmit(r.who);
        }
}

static int authentic(uint8_t *reply, int n, const user *u) {
    uint8_t claimed[16], right[16];
    if (n < 20 || (reply[2] << 8 | reply[3]) != n) return 0;
    memcpy(claimed, reply + 4, 16);
    memcpy(reply + 4, u->packet + 4, 16);
    md5(right, (piece[]){{reply, n}, {secret, strlen(secret)}}, 2);
    if (memcmp(claimed, right, 16)) return 0;
    for (int at = 20; at + 2 <= n && reply[at + 1] >= 2; at += reply[at + 1])
        if (reply[at] == 80 && reply[at + 1] == 18 && at + 18 <= n) {
            memcpy(claimed, reply + at + 2, 16);
            memset(reply + at + 2, 0, 16);
            hmac_md5(right, reply, n);
            return !memcmp(claimed, right, 16);
        }
    return 1;
}
static void hear(int state, int index, uint8_t *reply, int n) {
    uint32_t who = index * PER_SOCKET + (n > 1 ? reply[1] : 0);
    if (who >= count || users[who].state != state || !authentic(reply, n, &users[who])) { strange++; return; }
    user *u = &users[who];
    if (state == STARTS && reply[0] == 5) { u->state = IS_ON; u->on_at = since(); on++; return; }
    if (state != AUTHENTICATES || reply[0] != 2) { rejected++; return; } /* it is asked again: a storm may not refuse */
    accepted++;
    const uint8_t *class_ = NULL;
    for (int at = 20; at + 2 <= n && reply[at + 1] >= 2; at += reply[at + 1]) if (reply[at] == 25) class_ = reply + at;
    accounting_start(who, class_, class_ ? class_[1] : 0);
    u->state = STARTS; u->tries = 0;
    transmit(who);
}
static void receive(int poller, int patience) {
    struct epoll_event events[128];
    uint8_t reply[4200];
    int n, ready = epoll_wait(poller, events, 128, patience);
    for (int i = 0; i < ready; i++) {
        int state = events[i].data.u32 >> 24, index = events[i].data.u32 & 0xffffff;
        while ((n = recv(sockets[state][index], reply, sizeof reply, MSG_DONTWAIT)) >= 0) hear(state, index, reply, n);
    }
}
static void open_sockets(int state, int port, int poller) {
    int needed = (count + PER_SOCKET - 1) / PER_SOCKET, room = 4 << 20;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sockets[state] = calloc(needed, sizeof(int));
    for (int i = 0; i < needed; i++) {
        int made = sockets[state][i] = socket(AF_INET, SOCK_DGRAM, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)state << 24 | i};
        setsockopt(made, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
        if (made < 0 || connect(made, (void *)&server, sizeof server) || epoll_ctl(poller, EPOLL_CTL_ADD, made, &event)) { perror("socket"); exit(1); }
    }
}
static int earlier(const void *a, const void *b) { float x = *(const float *)a, y = *(const float *)b; return (x > y) - (x < y); }

int main(int words, char **word) {
    int option, auth_port = 0, acct_port = 0;
    double patience = 300;
    while ((option = getopt(words, word, "p:q:n:s:d:")) != -1) switch (option) {
        case 'p': auth_port = atoi(optarg); break;
        case 'q': acct_port = atoi(optarg); break;
        case 'n': count = atol(optarg); break;
        case 's': secret = optarg; break;
        case 'd': patience = atof(optarg); break;
        default: return 2;
    }
    struct rlimit files = {8192, 8192};
    setrlimit(RLIMIT_NOFILE, &files);
    hmac_key(secret, strlen(secret));
    srandom(now_ns());
    int poller = epoll_create1(0);
    open_sockets(AUTHENTICATES, auth_port, poller);
    open_sockets(STARTS, acct_port, poller);
    users = calloc(count, sizeof *users);
    for (uint32_t who = 0; who < count; who++) access_request(who);
    begun = now_ns();
    for (uint32_t who = 0; who < count; who++) {
        transmit(who);
        if (who % 256 == 255) receive(poller, 0);
    }
    double dialled = since(), told = 1;
    fprintf(stderr, "all have dialled after %.2f s\n", dialled);
    while (on < count && since() < patience) {
        receive(poller, 5);
        retransmit();
        if (since() >= told) { fprintf(stderr, "after %.0f s: %u accepted, %u on, %lu sent again\n", told, accepted, on, resent); told += 1 + (int)(since() - told); }
    }
    float *waits = malloc((count + 1) * sizeof *waits);
    uint32_t n = 0;
    for (uint32_t who = 0; who < count; who++) if (users[who].state == IS_ON) waits[n++] = users[who].on_at;
    qsort(waits, n, sizeof *waits, earlier);
    printf("{\"users\":%u,\"on\":%u,\"dialled\":%.3f,\"p50\":%.3f,\"p99\":%.3f,\"longest\":%.3f,\"resent\":%lu,\"rejected\":%lu,\"strange\":%lu}\n",
           count, n, dialled, n ? waits[n / 2] : 0, n ? waits[(size_t)(n * 0.99)] : 0, n ? waits[n - 1] : 0, resent, rejected, strange);
    return 0;
}
