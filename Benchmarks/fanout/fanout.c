/*
 * One event to many clients of server-sent events: how long until each has it.
 *
 *     gcc -O2 -Wall -o fanout fanout.c
 *     fanout CLIENTS ROUNDS UPSTREAM_PORT GATEWAY_PORT [NCHAN_PORT]
 *
 * Three processes: this one is all clients; one child is the least that a server can be, a loop of `send` over its
 * sockets; another is the internal API behind the gateway, which says one event to it. The contestants are told in
 * turns. Of each event the time is taken right before it is said, by whoever says it, and when each client has read it.
 *
 * "ready" on standard output means that the upstream listens, so that the gateway can be started; a line on standard
 * input goes on. Then a line for each contestant: name, clients, and for each round p50, p99 and the last, in µs.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 512
static volatile double *said; /* shared: when the event of a round was said */
static int clients, rounds;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}
static void die(const char *what) { perror(what); exit(1); }
static struct sockaddr_in address(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}
static int listener(int port, int *actual) {
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in a = address(port);
    socklen_t length = sizeof a;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(s, (void *)&a, sizeof a) || listen(s, 4096)) die("listen");
    getsockname(s, (void *)&a, &length);
    if (actual) *actual = ntohs(a.sin_port);
    return s;
}
static int event(char *to, int number) {
    char body[400];
    int n = snprintf(body, sizeof body,
        "event: price\nid: %d\ndata: {\"symbol\":\"AAPL\",\"price\":187.%02d,\"timestamp\":\"2026-11-28T10:30:00Z\","
        "\"provider\":\"yfinance\",\"moving_average\":187.25}\n\n", number + 1, number % 100);
    return sprintf(to, "%x\r\n%s\r\n", n, body);
}
static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/* The least that a server can be. */
static void bare(int s, int commands) {
    int *sockets = calloc(clients, sizeof *sockets), count = 0, number;
    char bytes[1024];
    while (count < clients) {
        int c = accept4(s, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (c < 0) die("accept");
        sockets[count++] = c;
    }
    for (int i = 0; i < clients; i++) send(sockets[i], head, sizeof head - 1, MSG_NOSIGNAL);
    while (read(commands, &number, sizeof number) == sizeof number) {
        int n = event(bytes, number);
        said[number] = now();
        for (int i = 0; i < clients; i++) send(sockets[i], bytes, n, MSG_NOSIGNAL);
    }
    exit(0);
}

/* The internal API: says one thing to the gateway. */
static void upstream(int s, int commands) {
    int gateway = -1, number;
    char bytes[4096];
    int epoll = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = s}, got[16];
    epoll_ctl(epoll, EPOLL_CTL_ADD, s, &e);
    e.data.fd = commands;
    epoll_ctl(epoll, EPOLL_CTL_ADD, commands, &e);
    for (;;) {
        int n = epoll_wait(epoll, got, 16, -1);
        for (int i = 0; i < n; i++) {
            int fd = got[i].data.fd;
            if (fd == s) {
                int c = accept4(s, NULL, NULL, SOCK_CLOEXEC);
                e.data.fd = c;
                epoll_ctl(epoll, EPOLL_CTL_ADD, c, &e);
            } else if (fd == commands) {
                if (read(commands, &number, sizeof number) != sizeof number) exit(0);
                int length = event(bytes, number);
                said[number] = now();
                if (send(gateway, bytes, length, MSG_NOSIGNAL) != length) die("gateway");
            } else {
                ssize_t length = recv(fd, bytes, sizeof bytes - 1, 0);
                if (length <= 0) { close(fd); continue; }
                bytes[length] = 0;
                if (strstr(bytes, "/prices/stream/all")) {
                    const char *current = "event: current\nid: 0\ndata: {}\n\n";
                    gateway = fd;
                    length = sprintf(bytes, "%s%zx\r\n%s\r\n", head, strlen(current), current);
                } else {
                    length = sprintf(bytes, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
                }
                send(fd, bytes, length, MSG_NOSIGNAL);
            }
        }
    }
}

/* One that publishes to nchan. */
static void publisher(int port, int commands) {
    int s = socket(AF_INET, SOCK_STREAM, 0), number, on = 1;
    struct sockaddr_in a = address(port);
    char body[512], bytes[1024];
    if (connect(s, (void *)&a, sizeof a)) die("nchan");
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (read(commands, &number, sizeof number) == sizeof number) {
        int n = snprintf(body, sizeof body, "{\"symbol\":\"AAPL\",\"price\":187.%02d,\"timestamp\":"
            "\"2026-11-28T10:30:00Z\",\"provider\":\"yfinance\",\"moving_average\":187.25}", number % 100);
        n = sprintf(bytes, "POST /publish HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", n, body);
        said[number] = now();
        if (send(s, bytes, n, MSG_NOSIGNAL) != n) die("publish");
        if (recv(s, bytes, sizeof bytes, 0) <= 0) die("publish answer");
    }
    exit(0);
}

/* Starts a child that is told of rounds through the pipe that is returned. */
static int child(void (*run)(int, int), int argument) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) die("pipe");
    pid_t parent = getpid();
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) exit(1);
        close(ends[1]);
        run(argument, ends[0]);
    }
    close(ends[0]);
    return ends[1];
}

static int dial(int port, int epoll, int index, const char *target) {
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = address(port);
    char request[200];
    if (s < 0 || connect(s, (void *)&a, sizeof a)) die("connect");
    int n = sprintf(request, "GET %s HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n", target);
    if (send(s, request, n, MSG_NOSIGNAL) != n) die("request");
    fcntl(s, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = index};
    epoll_ctl(epoll, EPOLL_CTL_ADD, s, &e);
    return s;
}
static int ascending(const void *l, const void *r) { return (*(double *)l > *(double *)r) - (*(double *)l < *(double *)r); }

/* Reads until as many as all clients have got what is looked for. */
static void await(int epoll, int *sockets, char *has, double *times, const char *what, double patience) {
    struct epoll_event got[EVENTS];
    char bytes[8192];
    int count = 0;
    double end = now() + patience * 1e6;
    memset(has, 0, clients);
    while (count < clients) {
        int n = epoll_wait(epoll, got, EVENTS, 1000);
        if (now() > end) { fprintf(stderr, "%d of %d clients have %s\n", count, clients, what); exit(1); }
        for (int i = 0; i < n; i++) {
            int index = got[i].data.u32;
            ssize_t length = recv(sockets[index], bytes, sizeof bytes, 0);
            if (length <= 0) { fprintf(stderr, "a client was cut\n"); exit(1); }
            if (has[index] || !memmem(bytes, length, what, strlen(what))) continue;
            has[index] = 1;
            times[count++] = now();
        }
    }
}

struct contestant { const char *name, *target, *greeting; int port, pipe, epoll, *sockets; };

int main(int count, char **words) {
    if (count < 5) { fprintf(stderr, "fanout CLIENTS ROUNDS UPSTREAM_PORT GATEWAY_PORT [NCHAN_PORT]\n"); return 2; }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    clients = atoi(words[1]), rounds = atoi(words[2]);
    int kinds = count > 5 ? 3 : 2;
    /* Descriptors of one process are limited: half of the contestants' clients at a time would not be the same run. */
    if ((long)limit.rlim_max < (long)clients + 100) { fprintf(stderr, "descriptors: %ld\n", (long)limit.rlim_max); return 1; }
    said = mmap(NULL, sizeof(double) * (rounds * 3 + 1), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct contestant all[3] = {
        {"bare", "/", "200 OK", 0, 0, 0, NULL},
        {"gateway", "/prices/stream?symbols=AAPL", "retry", atoi(words[4]), 0, 0, NULL},
        {"nchan", "/subscribe", "200 OK", count > 5 ? atoi(words[5]) : 0, 0, 0, NULL},
    };
    int port, s = listener(0, &port);
    all[0].port = port;
    all[0].pipe = child(bare, s);
    close(s);
    s = listener(atoi(words[3]), NULL);
    all[1].pipe = child(upstream, s);
    close(s);
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) return 1;
    if (kinds == 3) all[2].pipe = child(publisher, all[2].port);

    double *times = calloc(clients, sizeof *times);
    char *has = calloc(clients, 1);
    /* A process of clients for each contestant, because descriptors are few; this one tells them when. */
    int go[3][2], done[3][2];
    for (int k = 0; k < kinds; k++) {
        if (pipe(go[k]) || pipe(done[k])) die("pipe");
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            struct contestant *c = &all[k];
            c->epoll = epoll_create1(0);
            c->sockets = calloc(clients, sizeof(int));
            for (int i = 0; i < clients; i++) c->sockets[i] = dial(c->port, c->epoll, i, c->target);
            await(c->epoll, c->sockets, has, times, c->greeting, 60);
            int number = -1;
            if (write(done[k][1], &number, sizeof number) < 0) die("done");
            while (read(go[k][0], &number, sizeof number) == sizeof number) {
                char what[16];
                sprintf(what, "187.%02d,", number % 100);
                if (write(c->pipe, &number, sizeof number) < 0) die("tell");
                await(c->epoll, c->sockets, has, times, what, 30);
                for (int i = 0; i < clients; i++) times[i] -= said[number];
                qsort(times, clients, sizeof *times, ascending);
                double figures[3] = {times[clients / 2], times[clients * 99 / 100], times[clients - 1]};
                if (write(done[k][1], figures, sizeof figures) < 0) die("done");
            }
            exit(0);
        }
        int number;
        if (read(done[k][0], &number, sizeof number) != sizeof number) return 1;
    }
    puts("connected");
    fflush(stdout);
    if (getchar() == EOF) return 1;
    for (int round = 0; round < rounds; round++)
        for (int k = 0; k < kinds; k++) {
            int number = round * 3 + k;
            double figures[3];
            usleep(100000);
            if (write(go[k][1], &number, sizeof number) < 0) die("go");
            if (read(done[k][0], figures, sizeof figures) != sizeof figures) return 1;
            printf("%s %d %.0f %.0f %.0f\n", all[k].name, clients, figures[0], figures[1], figures[2]);
            fflush(stdout);
        }
    return 0;
}
