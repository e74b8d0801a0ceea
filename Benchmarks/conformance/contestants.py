"""Proxies, each told to pass everything on as an operator would who knows its manual: kept connections, streaming both
ways, forwarding fields, upgrades, and a cache where it has one."""

import os
import shutil

from comparison.nginx import command as nginx_command
from comparison.processes import Child, Failure, free_ports

# One loop each; the path of a check is the same for all.
OURS = """
[server]
listen = ["127.0.0.1:{port}"]
[shutdown]
# Longer than any answer of the checks takes; a broker that would take statistics is not there to be waited for.
grace_ms = 3000
[[proxy]]
prefix = "/"
upstreams = ["http://127.0.0.1:{upstream}"]
host = "keep"
{extra}
"""

NGINX = """
    server_tokens off;
    proxy_cache_path {folder}/cache keys_zone=all:16m;
    proxy_cache_key $scheme$http_host$request_uri;
    client_max_body_size 0;
    map $http_upgrade $hop {{ default ""; websocket upgrade; }}
    map $http_upgrade $protocol {{ default ""; websocket websocket; }}
    upstream all {{ server 127.0.0.1:{upstream}; keepalive 256; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://all;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
            proxy_set_header Host $http_host;
            proxy_set_header Connection $hop;
            proxy_set_header Upgrade $protocol;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header Forwarded "";
            proxy_set_header Via "1.1 nginx";
            {cache}
        }}
    }}
"""

HAPROXY = """
global
    maxconn 4096
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option http-keep-alive
    http-reuse always
    retries 1
    retry-on conn-failure empty-response
frontend all
    bind 127.0.0.1:{port}
    http-request del-header Forwarded
    http-request del-header X-Real-IP
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Proto http
    http-request set-header Via "1.1 haproxy"
    http-request disable-l7-retry if METH_POST
    {cache}
    default_backend all
backend all
    server one 127.0.0.1:{upstream}
{tail}
"""

H2O = """
num-threads: 1
pid-file: {folder}/h2o.pid
error-log: /dev/null
listen: {{ host: 127.0.0.1, port: {port} }}
limit-request-body: 2147483648
proxy.preserve-host: ON
proxy.timeout.keepalive: 4000
proxy.websocket: ON
hosts:
  default:
    paths:
      "/":
        proxy.reverse.url: "http://127.0.0.1:{upstream}"
"""

CADDY = """
{{
    admin off
    auto_https off
    storage file_system {folder}
}}
http://127.0.0.1:{port}, http://:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{upstream} {{
        flush_interval -1
        header_up -Forwarded
        header_up X-Real-IP {{remote_host}}
        header_up Via "1.1 caddy"
    }}
}}
"""

TRAFFIC_SERVER = {
    "CONFIG proxy.config.http.server_ports STRING": "{port}:ip-in=127.0.0.1",
    "CONFIG proxy.config.url_remap.pristine_host_hdr INT": "1",
    "CONFIG proxy.config.http.insert_request_via_str INT": "1",
    "CONFIG proxy.config.http.insert_client_ip INT": "1",
    "CONFIG proxy.config.http.insert_squid_x_forwarded_for INT": "1",
    "CONFIG proxy.config.http.cache.http INT": "{cache}",
    "CONFIG proxy.config.admin.user_id STRING": "#-1",
    "CONFIG proxy.config.exec_thread.autoconfig INT": "0",
    "CONFIG proxy.config.exec_thread.limit INT": "1",
    "CONFIG proxy.config.http.flow_control.enabled INT": "1",
    "CONFIG proxy.config.disable_configuration_modification INT": "1",
}


def ours(program, cache=True):
    def command(folder, port, upstream):
        file = folder / "gateway.toml"
        # A gateway of its own needs no broker for this: what it counts is dropped.
        file.write_text(OURS.format(port=port, upstream=upstream, extra="cache = true" if cache else ""))
        return [program, "gateway", "--config", file]

    return command


def nginx(folder, port, upstream, cache=False):
    used = "proxy_cache all; proxy_cache_lock on;" if cache else ""
    return nginx_command(folder, NGINX, port=port, upstream=upstream, cache=used)


def haproxy(folder, port, upstream, cache=False):
    used = "http-request cache-use all\n    http-response cache-store all" if cache else ""
    tail = "cache all\n    total-max-size 16\n    max-age 60\n    process-vary on\n" if cache else ""
    (folder / "haproxy.cfg").write_text(HAPROXY.format(port=port, upstream=upstream, cache=used, tail=tail))
    return ["/usr/sbin/haproxy", "-db", "-f", folder / "haproxy.cfg"]


def h2o(folder, port, upstream):
    (folder / "h2o.conf").write_text(H2O.format(folder=folder, port=port, upstream=upstream))
    return ["/usr/bin/h2o", "-m", "worker", "-c", folder / "h2o.conf"]


def caddy(folder, port, upstream):
    (folder / "Caddyfile").write_text(CADDY.format(folder=folder, port=port, upstream=upstream))
    return ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]


def traffic_server(folder, port, upstream, cache=False):
    shutil.copytree("/etc/trafficserver", folder / "etc")
    for name in ("log", "run", "cache"):
        (folder / name).mkdir()
        os.chmod(folder / name, 0o777)
    values = {key: value.format(port=port, cache=int(cache)) for key, value in TRAFFIC_SERVER.items()}
    lines = (folder / "etc/records.config").read_text().splitlines()
    lines = [line for line in lines if not line.startswith(tuple(values))]
    (folder / "etc/records.config").write_text("\n".join([*lines, *(f"{k} {v}" for k, v in values.items())]) + "\n")
    web, sockets = f"http://127.0.0.1:{upstream}/", f"ws://127.0.0.1:{upstream}/"
    (folder / "etc/remap.config").write_text(f"map / {web}\nmap ws://proxy.test/ {sockets}\n")
    (folder / "etc/storage.config").write_text(f"{folder}/cache 64M\n")
    layout = {
        "prefix": "/usr", "exec_prefix": "/usr", "bindir": "/usr/bin", "sbindir": "/usr/bin",
        "sysconfdir": f"{folder}/etc", "datadir": f"{folder}/cache", "includedir": "/usr/include",
        "libdir": "/usr/lib/trafficserver", "libexecdir": "/usr/lib/trafficserver/modules",
        "localstatedir": f"{folder}/run", "runtimedir": f"{folder}/run", "logdir": f"{folder}/log",
        "cachedir": f"{folder}/cache",
    }
    (folder / "runroot.yaml").write_text("".join(f"{key}: {value}\n" for key, value in layout.items()))
    return ["/usr/bin/traffic_server", f"--run-root={folder}/runroot.yaml"]


# By name: the program that must be there, how it is started without a cache, and with one.
OTHERS = {
    "nginx": ("/usr/sbin/nginx", nginx, lambda *words: nginx(*words, cache=True)),
    "HAProxy": ("/usr/sbin/haproxy", haproxy, lambda *words: haproxy(*words, cache=True)),
    "h2o": ("/usr/bin/h2o", h2o, None),
    "Traffic Server": ("/usr/bin/traffic_server", traffic_server, lambda *words: traffic_server(*words, cache=True)),
    "Caddy": ("/usr/bin/caddy", caddy, None),
}


def start(scope, name, command, folder, upstream):
    """Starts a proxy in front of a port; gives its address."""
    (port,) = free_ports(1)
    folder.mkdir()
    # Some give up being root before they write here.
    os.chmod(folder, 0o777)
    child = scope.enter_context(Child(name, command(folder, port, upstream), folder / "log.txt"))

    child.wait_until_listening(port)
    if child.process.poll() is not None:
        raise Failure(f"{name} ended:\n{child.last_lines()}")
    return ("127.0.0.1", port), child
