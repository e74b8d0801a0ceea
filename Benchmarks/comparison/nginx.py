"""nginx with one worker process; who measures beside it says what it serves."""

import shutil

PROGRAM = shutil.which("nginx") or "/usr/sbin/nginx"

CONFIGURATION = """
{main}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/temp;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/temp;
    uwsgi_temp_path {folder}/temp;
    scgi_temp_path {folder}/temp;
    {http}
}}
"""


def command(folder, http, main="", connections=4096, **values):
    """Writes the configuration into the folder, which is made; gives the words that start the program.

    :param http: Directives of `http`, a template for `values` and `folder`.
    :param main: Directives of the top.
    """
    folder.mkdir(exist_ok=True)
    # Its worker gives up being root before it writes here.
    folder.chmod(0o777)
    http = http.format(folder=folder, **values)
    text = CONFIGURATION.format(folder=folder, main=main, http=http, connections=connections)
    (folder / "nginx.conf").write_text(text)
    return [PROGRAM, "-p", folder, "-c", folder / "nginx.conf"]
