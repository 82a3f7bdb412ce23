"""Records what a CouchDB answers to Mango queries, for tests that need no CouchDB.

    python -m tests.contract.record_mango http://admin:secret@127.0.0.1:5984

asks for the order of strings, for what selectors match, and for plans, and writes
`couchdb-<version>-collation.json`, `-selectors.jsonl` and `-plans.jsonl` beside this file.
Queries that make CouchDB 3.5.0 fail with an internal error are left out.
"""

from __future__ import annotations

import base64
import json
import random
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DATABASE = "recording-mango"

ALPHABETS = (
    "abcxyzABCXYZ",
    "abAB019 -_.,;:!?()[]{}\"'/\\&#%@*`^+<=>|~$",
    "aáàâäãåāąAÁÀÂÄÃÅeéèêëēEÉoóöõøōOÖØnñuüűUÜcçčsšßzžýæœđðłþ",
    "αβγδεζηθικλμνξοπρσςτυφχψωάέήΑΒΓΔΩ",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґАБЙЯ",
    "§©®°«»“”‘’…–—€£¥¡¿×÷±→≤∞",
    "あいうかがきアイウカガ가나다라각",
    "😀🎉👍a1 ~",
)
STRINGS = (
    "", " ", "a", "A", "aa", "aA", "Aa", "AA", "á", "Á", "a\u0301", "ab", "áb", "b", "B", "z", "Z",
    "resume", "résumé", "Resume", "Résumé", "cote", "côte", "coté", "côté", "naïve", "naive",
    "co-op", "coop", "co op", "CO-OP", "a b", "a-b", "a_b", "ab c", "a.b", "a,b", "a/b", "a:b",
    "1", "10", "2", "02", "1.5", "1,5", "-1", "+1", "a1", "a10", "a2", "1a", "①", "²", "½", "Ⅲ",
    "strasse", "straße", "STRASSE", "æ", "ae", "Æ", "œ", "oe", "ø", "o", "đ", "d", "ð", "þ", "ŋ",
    "\t", "\n", "a\tb", "a\nb", "a\u0000b", "\u0001", "a\u0001", "a\u00adb", "a\u200bb", "\u00a0",
    "ﬁ", "fi", "Ａ", "ａ", "i", "ı", "İ", "I", "ĳ", "ǆ", "μ", "µ", "Ω", "\u2126", "Å", "\u212b",
    "ß", "ss", "sz", "я", "Я", "и", "й", "е", "ё", "א", "ב", "ך", "כ", "ا", "अ", "ก", "ა",
    "一", "龥",
    "か", "が", "カ", "ガ", "ｶ", "가", "각", "나", "😀", "☃", "\ufff0", "\uffff",
    "\u0378", "\ue000",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 1.5, 1.0, 10**20, -5, 7, "", "a", "A", "b", "ab", "é",
    "e\u0301",
    "a\u0001", "z", "10", [], [1], [1, 2], ["a"], ["a", "b"], [[1, 2]], [None], [{"a": 1}], {},
    {"a": 1}, {"b": {"a": 2}}, {"a": [1, 2, {"a": 3}]}, {"_id": "q"}, [{"_id": 5}],
    12345678901234567890, -1e100, "😀", "Zebra", "_x", " ",
)  # fmt: skip
FIELDS = ("a", "b", "c", "a.b", "b.a", "a.0", "a.a", "b.b.a", "_id", "c.2.a", "x\\.y", "a.1")
BY_HAND: tuple[Any, ...] = (
    {}, {"a": {}}, {"$and": []}, {"$or": []}, {"$and": [{}]}, {"$not": {}}, {"": 1}, {"a": {"": 1}},
    {"$bad": 1}, {"a": {"$bad": 1, "b": 2}}, {"$where": "x"}, {"a": {"$near": 1}}, {"a..b": 1},
    {"a": {"$in": 5}}, {"a": {"$in": "abc"}}, {"a": {"$nin": {"a": [1.5, None, "é"]}}},
    {"a": {"$exists": 1}}, {"a": {"$type": 5}}, {"a": {"$size": -1}}, {"a": {"$size": "1"}},
    {"a": {"$mod": [1.5, 1]}}, {"a": {"$mod": [2]}}, {"a": {"$mod": 5}}, {"a": {"$regex": "(a"}},
    {"a": {"$regex": 5}}, {"a": {"$beginsWith": 5}}, {"a": {"$all": 5}}, {"a": {"$elemMatch": 5}},
    {"a": {"$allMatch": []}}, {"a": {"$keyMapMatch": "x"}}, {"a": {"$not": 5}}, {"$and": 5},
    {"$or": {"a": 1}}, {"$nor": "x"}, {"a": {"$default": {"$text": "x"}}},
    {"a": {"$eq": 1, "b": 2}},
    {"a": {"$not": {"$exists": True, "$eq": 1}}}, {"a": {"$gt": None}}, {"a": {"$lt": {}}},
    {"_id": {"$gt": None}}, {"_id": {"$gt": "d1"}}, {"_id": {"$gt": 5}}, {"_id": {"$lt": []}},
    {"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}}, {"a": {"$elemMatch": {"a": {"$exists": True}}}},
    {"a": {"$keyMapMatch": {"$eq": "a"}}}, {"a.a.2.a": 3}, {"a": {"a": {"2": {"a": 3}}}},
)  # fmt: skip

INDEXES = (
    {"index": {"fields": ["a"]}, "ddoc": "one", "name": "a"},
    {"index": {"fields": ["a", "b"]}, "ddoc": "one", "name": "a-b"},
    {"index": {"fields": [{"b": "desc"}, {"c": "desc"}]}, "ddoc": "two", "name": "b-c"},
    {"index": {"fields": ["c", "_id"]}, "ddoc": "two", "name": "c-id"},
    {"index": {"fields": ["a.b"]}},
    {
        "index": {"fields": ["c"], "partial_filter_selector": {"a": {"$gt": 0}}},
        "ddoc": "part",
        "name": "c-where-a",
    },
)
QUERIES: tuple[dict[str, Any], ...] = (
    {"selector": {}}, {"selector": {"$or": []}}, {"selector": {"a": 1}},
    {"selector": {"a": 1, "b": {"$gt": None}}}, {"selector": {"a": {"$gt": 0}, "c": "a"}},
    {"selector": {"a": {"$gt": 0}, "b": {"$lt": 5, "$gte": 1}}, "sort": ["a", "b"]},
    {"selector": {"a": {"$gt": 0}}, "sort": [{"a": "desc"}, {"b": "desc"}], "limit": 3},
    {"selector": {"b": 1}, "sort": ["c"]}, {"selector": {"b": {"$gt": 1}}, "sort": ["c"]},
    {"selector": {"a": 1}, "sort": ["nope"]}, {"selector": {"a": 1}, "sort": [{"a": "up"}]},
    {"selector": {"a": 1}, "sort": [{"a": "asc"}, {"b": "desc"}]},
    {"selector": {"a": 1}, "sort": 5},
    {"selector": {"_id": {"$gt": "d1"}}}, {"selector": {"_id": {"$gt": "d1"}}, "sort": ["_id"]},
    {"selector": {"_id": {"$gt": "d1", "$lte": "d3"}}, "sort": [{"_id": "desc"}], "skip": 1},
    {"selector": {"a": 1}, "sort": ["_id"]}, {"selector": {"_id": {"$beginsWith": "d2"}}},
    {"selector": {"c": {"$beginsWith": "a"}}}, {"selector": {"c": {"$exists": True}}},
    {"selector": {"c": {"$gt": 5, "$lt": 2}}}, {"selector": {"a": {"$in": [1, 2]}}},
    {"selector": {"$or": [{"a": 1}, {"b": 1}]}},
    {"selector": {"$nor": [{"a": 1}, {"b": {"$lt": 1}}]}},
    {"selector": {"a": 1}, "fields": ["a", "_id"]}, {"selector": {"a": 1}, "fields": ["b", "a.b"]},
    {"selector": {"a": {"$gt": 1}, "b": {"$gt": 1}}, "fields": ["a"], "use_index": "one"},
    {"selector": {"a": {"$gt": 1}, "b": {"$gt": 1}}, "use_index": ["one", "a"]},
    {"selector": {"a": {"$gt": 1}}, "use_index": "_design/one/a", "conflicts": True},
    {"selector": {"a": {"$gt": 1}}, "use_index": "two"},
    {"selector": {"a": 1}, "use_index": "nope/x"},
    {"selector": {"a": 1}, "use_index": "nope", "allow_fallback": False},
    {"selector": {"a": 1}, "use_index": ["two", "b-c"], "allow_fallback": False},
    {"selector": {"a": 1}, "allow_fallback": False},
    {"selector": {"q": 1}, "allow_fallback": False},
    {"selector": {"c": "a", "a": {"$gt": 0}}, "use_index": "part"},
    {"selector": {"a": 1}, "limit": -1},
    {"selector": {"c": {"$gt": None}}, "use_index": "part", "fields": ["c"]},
    {"selector": {"a": 1}, "skip": "1"}, {"selector": {"a": 1}, "fields": "a"},
    {"selector": {"a": 1}, "fields": [5]}, {"selector": {"a": 1}, "use_index": "a/b/c/d"},
    {"selector": {"a": 1}, "use_index": 5}, {"selector": {"a": 1}, "limit": 0},
    {"selector": {"a": {"$eq": {"b": 1}}}}, {"selector": {"a": {"b": {"$gt": 0}}}},
    {"selector": {"a": {"$type": "array"}, "b:number": 1, "c": {"$gte": "a"}}},
)  # fmt: skip


class Server:
    """A CouchDB at a URL with a name and password in it."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self._base = f"{parts.scheme}://{parts.hostname}:{parts.port}/"
        secret = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that it answers, errors included."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, self._headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return json.load(refusal)

    def fill(self, docs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A new database with these documents; returns them with their revisions."""
        self.ask("DELETE", DATABASE)
        self.ask("PUT", DATABASE)
        rows = self.ask("POST", f"{DATABASE}/_bulk_docs", {"docs": docs})
        return [{**doc, "_rev": row["rev"]} for doc, row in zip(docs, rows, strict=True)]


def collation(server: Server) -> list[list[str]]:
    """Strings in their order; what is equal stands together."""
    chance = random.Random(1)
    strings = dict.fromkeys(STRINGS)
    for alphabet in ALPHABETS:
        strings |= dict.fromkeys(
            "".join(chance.choices(alphabet, k=chance.randint(1, 4))) for _ in range(40)
        )
    server.fill([{"_id": f"{place:04}", "s": s} for place, s in enumerate(strings)])
    server.ask("POST", f"{DATABASE}/_index", {"index": {"fields": ["s"]}})
    query = {"selector": {"s": {"$gte": ""}}, "sort": ["s"], "fields": ["s"], "limit": 10_000}
    groups: list[list[str]] = []
    for doc in server.ask("POST", f"{DATABASE}/_find", query)["docs"]:
        if groups and doc["s"] in groups[-1]:
            continue
        same = {"selector": {"s": doc["s"]}, "fields": ["s"]}
        found = server.ask("POST", f"{DATABASE}/_find", same)
        groups.append(sorted(d["s"] for d in found["docs"]))
    return groups


def documents(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Documents with any values in the fields `a`, `b`, `c` and `x.y`."""
    docs = []
    for place in range(count):
        doc: dict[str, Any] = {"_id": f"{chance.choice('dDeék')}{place}"}
        doc |= {f: chance.choice(VALUES) for f in ("a", "b", "c", "x.y") if chance.random() < 0.75}
        docs.append(doc)
    return docs


def condition(chance: random.Random, depth: int) -> Any:
    """A random condition."""

    def some(least: int, most: int) -> list[Any]:
        return [chance.choice(VALUES) for _ in range(chance.randint(least, most))]

    kinds = ["compare"] * 7 + ["in", "exists", "type", "size", "mod", "regex", "begins", "all"]
    kinds += ["value", "elements", "keys", "not", "both", "combine", "member"] * (depth > 0)
    match chance.choice(kinds):
        case "compare":
            return {chance.choice(["$lt", "$lte", "$eq", "$ne", "$gt", "$gte"]): some(1, 1)[0]}
        case "in":
            return {chance.choice(["$in", "$nin"]): some(0, 3)}
        case "exists":
            return {"$exists": chance.choice([True, False])}
        case "type":
            kinds = ["null", "boolean", "number", "string", "array", "object"]
            return {"$type": chance.choice(kinds)}
        case "size":
            return {"$size": chance.randint(0, 3)}
        case "mod":
            return {"$mod": [chance.choice([1, 2, 3, -2, 5]), chance.choice([0, 1, -1, 2])]}
        case "regex":
            return {"$regex": chance.choice(["^a", "b$", "[0-9]", "A|z", "(?i)a", "."])}
        case "begins":
            return {"$beginsWith": chance.choice(["a", "", "A", "z"])}
        case "all":
            return {"$all": some(0, 2)}
        case "elements":
            inner = chance.choice([condition, selector])(chance, depth - 1)
            return {chance.choice(["$elemMatch", "$allMatch"]): _object(inner)}
        case "keys":
            return {"$keyMapMatch": _object(condition(chance, depth - 1))}
        case "not":
            return {"$not": _object(condition(chance, depth - 1))}
        case "both":
            return {"$lt": some(1, 1)[0], "$gt": some(1, 1)[0]}
        case "combine":
            parts = [condition(chance, depth - 1) for _ in range(chance.randint(1, 2))]
            return {chance.choice(["$and", "$or"]): parts}
        case "member":
            return {chance.choice(["a", "b", "0"]): condition(chance, depth - 1)}
    return some(1, 1)[0]


def _object(value: Any) -> Any:
    return value if isinstance(value, dict) else {"$eq": value}


def selector(chance: random.Random, depth: int) -> Any:
    """A random selector."""
    if depth <= 0 or chance.random() < 0.6:
        fields = chance.sample(FIELDS, chance.randint(1, 2))
        return {field: condition(chance, depth) for field in fields}
    name = chance.choice(["$and", "$or", "$nor", "$not"])
    if name == "$not":
        return {name: selector(chance, depth - 1)}
    return {name: [selector(chance, depth - 1) for _ in range(chance.randint(1, 3))]}


def selectors(server: Server) -> Iterator[Any]:
    """Documents, then selectors with their normal form and what they match, or the error."""
    chance = random.Random(2)
    docs = server.fill(documents(chance, 60))
    yield docs
    for asked in (*BY_HAND, *(selector(chance, 2) for _ in range(400))):
        found = server.ask(
            "POST", f"{DATABASE}/_find", {"selector": asked, "fields": ["_id"], "limit": 1000}
        )
        if "docs" not in found:
            if found["error"] != "unknown_error":
                yield {"selector": asked, "error": found["error"], "reason": found["reason"]}
            continue
        plan = server.ask("POST", f"{DATABASE}/_explain", {"selector": asked})
        if plan["mrargs"]["end_key"] is None:
            continue  # what cannot match is not looked for
        ids = [doc["_id"] for doc in found["docs"]]
        yield {"selector": asked, "normal": plan["selector"], "ids": ids}


def plans(server: Server) -> Iterator[Any]:
    """Documents and indexes, then queries with their explanation and answer."""
    chance = random.Random(3)
    docs = server.fill(documents(chance, 60))
    yield docs
    for index in INDEXES:
        created = server.ask("POST", f"{DATABASE}/_index", index)
        design = server.ask("GET", f"{DATABASE}/{created['id']}")
        yield {"index": index, "created": created, "design": design}
    for query in QUERIES:
        found = server.ask("POST", f"{DATABASE}/_find", query)
        found.pop("bookmark", None)
        plan = server.ask("POST", f"{DATABASE}/_explain", query)
        yield {"query": query, "plan": plan, "found": found}


def main(url: str) -> None:
    """Record everything."""
    server = Server(url)
    version = server.ask("GET", "")["version"]
    groups = collation(server)
    name = f"couchdb-{version}"
    (HERE / f"{name}-collation.json").write_text(
        "[\n" + ",\n".join(json.dumps(group, ensure_ascii=False) for group in groups) + "\n]\n"
    )
    for what, lines in (("selectors", selectors(server)), ("plans", plans(server))):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (HERE / f"{name}-{what}.jsonl").write_text(text)
    server.ask("DELETE", DATABASE)


if __name__ == "__main__":
    main(sys.argv[1])
