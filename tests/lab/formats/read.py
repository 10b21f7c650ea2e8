"""What consumers make of files, as JSON: read.py junit|tap|prometheus FILE... prints one list per file.

junitparser, tap.py and prometheus_client are the packages' own parsers; a file that one refuses is {"error": "..."}.
"""

import json
import sys


def junit(path):
    from junitparser import JUnitXml

    cases = []
    for suite in JUnitXml.fromfile(path):
        own = list(suite)
        counted = [suite.tests, suite.failures, suite.errors, suite.skipped]
        kinds = [[type(result).__name__ for result in case.result] for case in own]
        seen = [len(own)] + [sum(kind in all for all in kinds) for kind in ("Failure", "Error", "Skipped")]
        if counted != seen:
            raise ValueError(f"{suite.name} counts {counted} and has {seen}")
        for case, kind in zip(own, kinds):
            text = case.result[0].message if case.result else case.system_out
            cases.append({"class": case.classname, "name": case.name, "kinds": kind, "text": text, "time": case.time})
    return cases


def tap(path):
    from tap.parser import Parser

    points = []
    for line in Parser().parse_file(path):
        if line.category == "test":
            points.append({"ok": line.ok, "text": line.description, "skip": line.skip, "yaml": line.yaml_block})
        elif line.category in ("unknown", "bail"):
            raise ValueError(f"{line.category}: {line}")
    return points


def prometheus(path):
    from prometheus_client.parser import text_string_to_metric_families

    with open(path, encoding="utf-8", newline="") as file:
        families = list(text_string_to_metric_families(file.read()))
    return [
        {"family": family.name, "type": family.type, "name": sample.name, "labels": sample.labels, "value": sample.value}
        for family in families
        for sample in family.samples
    ]


read = {"junit": junit, "tap": tap, "prometheus": prometheus}[sys.argv[1]]
results = []
for path in sys.argv[2:]:
    try:
        results.append(read(path))
    except Exception as error:  # whatever a parser raises is its refusal
        results.append({"error": f"{type(error).__name__}: {error}"})
json.dump(results, sys.stdout)
