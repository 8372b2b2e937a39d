# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""CloudWatch Logs as its model and its documentation describe it, with every limit of PutLogEvents."""
import bisect
import re

from awsd_wire import ApiError, Bucket, Reply, json_body

BATCH_MAX, EVENT_MAX, EVENTS_MAX, OVERHEAD = 1_048_576, 1_048_576, 10_000, 26
HOUR, DAY = 3_600_000, 86_400_000
TOO_OLD, TOO_NEW, SPAN = 14 * DAY, 2 * HOUR, DAY
RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
GROUP_NAME, STREAM_NAME = r"[.\-_/#A-Za-z0-9]+", r"[^:*]*"
CLASSES = ("STANDARD", "INFREQUENT_ACCESS", "DELIVERY")
PAGE_BYTES = 1_048_576


def invalid(message):
    return ApiError("InvalidParameterException", message)


def constraint(name, value, what):
    return invalid(f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must {what}")


def get(asked, name, kind, required=False):
    value = asked.get(name)
    if value is None:
        if required:
            raise constraint(name, "null", "not be null")
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ApiError("SerializationException", f"{name}: {kind.__name__} expected")
    return value


def text(asked, name, least, most, pattern=None, required=True):
    value = get(asked, name, str, required)
    if value is None:
        return None
    if len(value) < least:
        raise constraint(name, value, f"have length greater than or equal to {least}")
    if len(value) > most:
        raise constraint(name, value[:64] + "...", f"have length less than or equal to {most}")
    if pattern and not re.fullmatch(pattern, value):
        raise constraint(name, value, f"satisfy regular expression pattern: {pattern}")
    return value


def number(asked, name, least, most, default=None):
    value = get(asked, name, int)
    if value is None:
        return default
    if value < least:
        raise constraint(name, value, f"have value greater than or equal to {least}")
    if value > most:
        raise constraint(name, value, f"have value less than or equal to {most}")
    return value


class Stream:
    def __init__(self, name, created):
        self.name, self.created, self.ingested = name, created, None
        self.index = []   # sorted (timestamp, batch, place in it, bytes): what was stored, without its text


class Group:
    def __init__(self, name, created, **more):
        self.name, self.created, self.streams, self.retention, self.more = name, created, {}, None, more


class Logs:
    name, protocol = "logs", "json"

    def __init__(self, awsd):
        self.awsd, self.groups, self.batches, self.n_batches = awsd, {}, {}, 0
        self.pages, self.stream_rate = 0, Bucket(lambda: awsd.settings["stream_tps"])
        self.put_rate = Bucket(lambda: awsd.settings["put_tps"])
        self.ops = {"CreateLogGroup": self.create_group, "DeleteLogGroup": self.delete_group,
                    "CreateLogStream": self.create_stream, "DeleteLogStream": self.delete_stream,
                    "PutRetentionPolicy": self.put_retention, "DeleteRetentionPolicy": self.delete_retention,
                    "DescribeLogGroups": self.describe_groups, "DescribeLogStreams": self.describe_streams,
                    "PutLogEvents": self.put_events, "GetLogEvents": self.get_events}

    def throttled(self):
        return ApiError("ThrottlingException", "Rate exceeded")

    # --- a call ---

    def run(self, op, call):
        if call.headers.get("Content-Type") != "application/x-amz-json-1.1":
            return Reply(404, b"<UnknownOperationException/>\n", [("Content-Type", "application/xml")])
        target, _, operation = call.headers.get("X-Amz-Target", "").partition(".")
        if call.method != "POST" or call.target != "/" or target != "Logs_20140328" or operation not in self.ops:
            raise ApiError("com.amazon.coral.service#UnknownOperationException", "")
        asked = json_body(call)
        call.resource = self.resource(operation, asked)
        self.awsd.authorize(call, f"logs:{operation}", call.resource)
        answer = self.ops[operation](asked, call)
        return Reply.json(answer, "application/x-amz-json-1.1")

    def resource(self, operation, asked):
        """The ARN that a policy must name for it."""
        name, stream = asked.get("logGroupName") or "", asked.get("logStreamName") or ""
        if operation in ("PutLogEvents", "GetLogEvents", "DeleteLogStream"):
            return f"{self.arn(name)}:log-stream:{stream}"
        return self.arn(name) if operation != "DescribeLogGroups" else self.arn("")

    def arn(self, name):
        return f"arn:{self.awsd.partition}:logs:{self.awsd.region}:{self.awsd.account}:log-group:{name}"

    def group(self, asked):
        name = text(asked, "logGroupName", 1, 512, GROUP_NAME)
        if name not in self.groups:
            raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
        return self.groups[name]

    def stream(self, asked):
        name = text(asked, "logStreamName", 1, 512, STREAM_NAME)
        group = self.group(asked)
        if name not in group.streams:
            raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
        return group, group.streams[name]

    # --- groups and streams ---

    def create_group(self, asked, _):
        name = text(asked, "logGroupName", 1, 512, GROUP_NAME)
        if name.lower().startswith("aws/"):
            raise invalid("Log groups starting with AWS/ are reserved for AWS.")
        key = text(asked, "kmsKeyId", 0, 256, required=False)
        tags = get(asked, "tags", dict) or {}
        if len(tags) > 50 or not all(0 < len(k) <= 128 and isinstance(v, str) and len(v) <= 256 for k, v in tags.items()):
            raise constraint("tags", "...", "have at most 50 pairs of 128 and 256 characters")
        kind = get(asked, "logGroupClass", str) or "STANDARD"
        if kind not in CLASSES:
            raise constraint("logGroupClass", kind, f"satisfy enum value set: [{', '.join(CLASSES)}]")
        if name in self.groups:
            raise ApiError("ResourceAlreadyExistsException", "The specified log group already exists")
        self.awsd.commit({"do": "group", "name": name, "at": self.awsd.now_ms(), "kms": key, "class": kind, "tags": tags})

    def delete_group(self, asked, _):
        self.awsd.commit({"do": "no_group", "name": self.group(asked).name})

    def create_stream(self, asked, _):
        name = text(asked, "logStreamName", 1, 512, STREAM_NAME)
        group = self.group(asked)
        if not self.stream_rate.take():
            raise self.throttled()
        if name in group.streams:
            raise ApiError("ResourceAlreadyExistsException", "The specified log stream already exists")
        self.awsd.commit({"do": "stream", "group": group.name, "name": name, "at": self.awsd.now_ms()})

    def delete_stream(self, asked, _):
        group, stream = self.stream(asked)
        self.awsd.commit({"do": "no_stream", "group": group.name, "name": stream.name})

    def put_retention(self, asked, _):
        days = get(asked, "retentionInDays", int, required=True)
        group = self.group(asked)
        if days not in RETENTIONS:
            raise constraint("retentionInDays", days, f"satisfy enum value set: {list(RETENTIONS)}")
        self.awsd.commit({"do": "retention", "group": group.name, "days": days})

    def delete_retention(self, asked, _):
        self.awsd.commit({"do": "retention", "group": self.group(asked).name, "days": None})

    def listed(self, asked, found, key):
        """One page of the names found."""
        limit = number(asked, "limit", 1, 50, 50)
        after = get(asked, "nextToken", str)
        rest = [name for name in found if after is None or name > after]
        page = {} if len(rest) <= limit else {"nextToken": rest[limit - 1]}
        return rest[:limit], {key: None, **page}

    def describe_groups(self, asked, _):
        prefix = text(asked, "logGroupNamePrefix", 1, 512, GROUP_NAME, required=False) or ""
        names, answer = self.listed(asked, sorted(n for n in self.groups if n.startswith(prefix)), "logGroups")
        answer["logGroups"] = [self.described(self.groups[name]) for name in names]
        return answer

    def described(self, group):
        made = {"logGroupName": group.name, "creationTime": group.created, "arn": self.arn(group.name) + ":*",
                "logGroupArn": self.arn(group.name), "metricFilterCount": 0, "logGroupClass": group.more["class"],
                "storedBytes": sum(entry[3] for s in group.streams.values() for entry in s.index)}
        made.update({"retentionInDays": group.retention} if group.retention else {})
        made.update({"kmsKeyId": group.more["kms"]} if group.more["kms"] else {})
        return made

    def describe_streams(self, asked, _):
        group = self.group(asked)
        prefix = text(asked, "logStreamNamePrefix", 1, 512, STREAM_NAME, required=False) or ""
        names, answer = self.listed(asked, sorted(n for n in group.streams if n.startswith(prefix)), "logStreams")
        answer["logStreams"] = []
        for name in names:
            stream = group.streams[name]
            times = {"firstEventTimestamp": stream.index[0][0], "lastEventTimestamp": stream.index[-1][0],
                     "lastIngestionTime": stream.ingested} if stream.index else {}
            answer["logStreams"].append({"logStreamName": name, "creationTime": stream.created, "storedBytes": 0,
                                         "uploadSequenceToken": str(len(stream.index)),
                                         "arn": f"{self.arn(group.name)}:log-stream:{name}", **times})
        return answer

    # --- events in ---

    def put_events(self, asked, call):
        names = text(asked, "logGroupName", 1, 512, GROUP_NAME), text(asked, "logStreamName", 1, 512, STREAM_NAME)
        text(asked, "sequenceToken", 1, 1 << 20, required=False)
        if not self.put_rate.take():
            raise self.throttled()
        events = self.events_of(asked)
        group, stream = self.stream(asked)
        self.check_sizes(events)
        if any(a[0] > b[0] for a, b in zip(events, events[1:])):
            raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
        first, end, info = self.rejected(events, group)
        kept = events[first:end]
        if kept and kept[-1][0] - kept[0][0] > SPAN:
            raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
        self.awsd.commit({"do": "events", "batch": self.n_batches, "request": call.request_id, "group": names[0],
                          "stream": names[1], "at": self.awsd.now_ms(), "events": kept,
                          "rejected": events[:first] + events[end:], "info": info})
        answer = {"nextSequenceToken": f"{len(stream.index):056d}"}
        return {**answer, "rejectedLogEventsInfo": info} if info else answer

    def events_of(self, asked):
        """[(timestamp, message)]"""
        events = get(asked, "logEvents", list, required=True)
        if not 1 <= len(events) <= EVENTS_MAX:
            raise constraint("logEvents", f"{len(events)} events",
                             f"have length {'greater than or equal to 1' if not events else f'less than or equal to {EVENTS_MAX}'}")
        made = []
        for i, event in enumerate(events, 1):
            if not isinstance(event, dict):
                raise ApiError("SerializationException", f"logEvents.{i}: a structure expected")
            when, message = get(event, "timestamp", int, required=True), get(event, "message", str, required=True)
            if when < 0 or when >= 1 << 63:
                raise constraint(f"logEvents.{i}.member.timestamp", when, "have value greater than or equal to 0")
            if not message:
                raise constraint(f"logEvents.{i}.member.message", "", "have length greater than or equal to 1")
            made.append((when, message))
        return made

    def check_sizes(self, events):
        sizes = [len(message.encode()) + OVERHEAD for _, message in events]
        most = self.awsd.settings["event_max"]
        for size in sizes:
            if size > most:
                raise invalid(f"Log event too large: {size} bytes exceeds limit of {most}")
        if sum(sizes) > BATCH_MAX:
            raise invalid(f"Upload too large: {sum(sizes)} bytes exceeds limit of {BATCH_MAX}")

    def rejected(self, events, group):
        """Those from..to are good, and what to say of the others. events: in order."""
        now, times, info, first = self.awsd.now_ms(), [when for when, _ in events], {}, 0
        old = bisect.bisect_left(times, now - TOO_OLD)
        if old:
            info["tooOldLogEventEndIndex"] = first = old
        expired = bisect.bisect_left(times, now - group.retention * DAY) if group.retention else 0
        if expired:
            info["expiredLogEventEndIndex"] = expired
            first = max(first, expired)
        new = bisect.bisect_right(times, now + TOO_NEW)
        if new < len(times):
            info["tooNewLogEventStartIndex"] = new
        return first, new, info

    # --- events out ---

    def get_events(self, asked, call):
        _, stream = self.stream(asked)
        start, end = number(asked, "startTime", 0, 1 << 62, 0), number(asked, "endTime", 0, 1 << 62, 1 << 62)
        limit = number(asked, "limit", 1, EVENTS_MAX, EVENTS_MAX)
        token, forward = get(asked, "nextToken", str), bool(get(asked, "startFromHead", bool))
        if token is not None and not re.fullmatch(r"[fb]/\d{1,20}/\d{1,12}", token):
            raise invalid("The specified nextToken is invalid.")
        if token is not None and token[0] == "f" and not forward:
            raise invalid("a nextForwardToken is for calls with startFromHead true")
        forward = token[0] == "f" if token else forward
        seen = self.visible(stream, start, end)
        low, high = self.page(seen, token, forward, limit)
        end = low == high
        if call.fault and call.fault["kind"] == "empty_page":
            low = high = low if forward else high   # where it was
        self.pages += 1
        return {"events": [self.event_out(entry) for entry in seen[low:high]],
                "nextForwardToken": self.token("f", high, token, end), "nextBackwardToken": self.token("b", low, token, end)}

    def visible(self, stream, start, end):
        now, group = self.awsd.now_ms(), stream.group
        since = max(start, now - group.retention * DAY) if group.retention else start
        low, high = bisect.bisect_left(stream.index, (since,)), bisect.bisect_left(stream.index, (end,))
        late = self.awsd.settings["visible_after"] * 1000
        if not late:
            return stream.index[low:high]
        return [entry for entry in stream.index[low:high] if self.batches[entry[1]][1] <= now - late]

    def page(self, seen, token, forward, limit):
        """As many as fit, onward from the token, or backward."""
        if token:
            at = min(int(token.split("/")[1]), len(seen))
        else:
            at = 0 if forward else len(seen)
        low = high = at
        size = 0
        while high - low < limit and (high < len(seen) if forward else low > 0):
            size += seen[high if forward else low - 1][3]
            if size > PAGE_BYTES:
                break
            low, high = (low, high + 1) if forward else (low - 1, high)
        return low, high

    def token(self, way, at, given, nothing):
        """At the end of the stream a token comes back as it was given; elsewhere each is new."""
        if nothing and given and given[0] == way and given.split("/")[1] == str(at):
            return given
        return f"{way}/{at}/{self.pages}"

    def event_out(self, entry):
        when, batch, place, _ = entry
        offset, at = self.batches[batch]
        return {"timestamp": when, "message": self.awsd.batch_at(offset)["events"][place][1], "ingestionTime": at}

    # --- what was committed, now or by one who was killed ---

    def apply(self, record, offset):
        do = record["do"]
        if do == "group":
            self.groups[record["name"]] = Group(record["name"], record["at"], **{k: record[k] for k in ("kms", "class", "tags")})
        elif do == "no_group":
            del self.groups[record["name"]]
        elif do == "stream":
            group = self.groups[record["group"]]
            group.streams[record["name"]] = Stream(record["name"], record["at"])
            group.streams[record["name"]].group = group
        elif do == "no_stream":
            del self.groups[record["group"]].streams[record["name"]]
        elif do == "retention":
            self.groups[record["group"]].retention = record["days"]
        elif do == "events":
            self.apply_events(record, offset)

    def apply_events(self, record, offset):
        stream = self.groups[record["group"]].streams[record["stream"]]
        batch, in_order = record["batch"], not stream.index or not record["events"] \
            or record["events"][0][0] >= stream.index[-1][0]
        stream.index.extend((when, batch, i, len(message.encode()) + OVERHEAD)
                            for i, (when, message) in enumerate(record["events"]))
        if not in_order:
            stream.index.sort()
        stream.ingested = record["at"]
        self.batches[batch] = (offset, record["at"])
        self.n_batches = batch + 1
