"""Generates the Postman collection from openapi.yaml, and runs it against the function.

    openapi.py [--check]

The collection has a request for each request example of openapi.yaml, in the same order, so that each
change starts from the password that the previous one set. Newman runs the collection; each answer must have
a documented status. `--check` fails if the committed collection is out of date.
"""

import json
import os
import subprocess
import sys

import yaml

import dev
import stack

COLLECTION = stack.ROOT / "docs" / "change-password.postman_collection.json"
NEWMAN = stack.ROOT / "target" / "tools" / "openapi" / "node_modules" / ".bin" / "newman"
METHODS = ("get", "head", "post")


def item(path, method, operation, example=None):
    """Returns a request of the collection, with a test of the answer's status."""
    statuses = ", ".join(sorted(status for status in operation["responses"]))
    request = {"method": method.upper(), "url": "{{baseUrl}}" + path}
    request["description"] = operation.get("description", "").strip()
    if operation.get("security"):
        token = [{"key": "token", "value": "{{accessToken}}", "type": "string"}]
        request["auth"] = {"type": "bearer", "bearer": token}
    if example:
        request["header"] = [{"key": "Content-Type", "value": "application/json"}]
        body = json.dumps(example["value"], indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": body, "options": {"raw": {"language": "json"}}}
    check = [
        "pm.test('the status is documented', () => {",
        f"  pm.expect([{statuses}]).to.include(pm.response.code);",
        "});",
    ]
    name = (example or {}).get("summary") or operation["summary"]
    script = {"type": "text/javascript", "exec": check}
    return {
        "name": f"{method.upper()} {path}: {name}",
        "request": request,
        "event": [{"listen": "test", "script": script}],
    }


def collection(document):
    """Returns the collection in Postman's format 2.1."""
    items = []
    for path, operations in document["paths"].items():
        for method in METHODS:
            operation = operations.get(method)
            if not operation or "password" not in operation["tags"]:
                continue
            content = operation.get("requestBody", {}).get("content", {})
            examples = content.get("application/json", {}).get("examples", {}).values()
            items += [item(path, method, operation, example) for example in examples or [None]]
    return {
        "info": {
            "name": document["info"]["title"],
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "item": items,
        "variable": [
            {"key": "baseUrl", "value": "http://localhost:9000"},
            {"key": "accessToken", "value": ""},
        ],
    }


def check(text):
    """Runs the collection, and checks that its first two changes succeed."""
    if not COLLECTION.exists() or COLLECTION.read_text() != text:
        sys.exit("The Postman collection is out of date: run `make collection`.")
    stack.build()
    scratch = stack.scratch("openapi")
    report = scratch / "newman.json"
    ports = stack.free_port(), stack.free_port()
    with stack.log(scratch) as log, dev.both(*ports, output=log) as (url, cognito, _):
        token = dev.access_token(dev.sign_in(cognito))
        os.environ["PATH"] = f"{stack.TOOLS}{os.pathsep}{os.environ['PATH']}"
        command = [NEWMAN, "run", COLLECTION, "--reporters", "cli,json", "--color", "off"]
        command += ["--reporter-json-export", report, "--bail"]
        command += ["--env-var", f"baseUrl={url}", "--env-var", f"accessToken={token}"]
        if subprocess.run(command).returncode != 0:
            return "The collection failed."
    runs = json.loads(report.read_text())["run"]["executions"]
    changes = [run["response"]["code"] for run in runs if "/change-password:" in run["item"]["name"]]
    if changes[:2] != [204, 200]:
        return f"The collection's changes returned {changes}; the first two must be 204 and 200."
    return 0


def main():
    """Writes the collection, or checks it with `--check`."""
    document = yaml.safe_load((stack.ROOT / "openapi.yaml").read_text())
    text = json.dumps(collection(document), indent=2, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--check"]:
        return check(text)
    COLLECTION.write_text(text)
    return 0


if __name__ == "__main__":
    stack.run(main)
