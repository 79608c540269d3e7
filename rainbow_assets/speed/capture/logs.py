"""Where Debezium logs to: files of its own, so that the terminal stays readable."""

import json
from pathlib import Path

from rainbow_assets.settings import Settings

LOG4J = """\
# Written by `rainbow stream` at each start.
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {folder}/stream-debezium.log
appender.file.filePattern = {folder}/stream-debezium-%i.log
appender.file.filePermissions = rw-------
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %c{{1}} - %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 5
# It lists the connector's settings, with the password hidden; Kafka's lists are long and say nothing.
logger.kafka.name = org.apache.kafka
logger.kafka.level = WARN
"""


def log_file(settings: Settings) -> Path:
    """What Debezium says."""
    return settings.home / "logs" / "stream-debezium.log"


def log_config(settings: Settings) -> Path:
    """The file that tells Debezium where to log; it is made at each start."""
    folder, logs = settings.home / "stream", settings.home / "logs"
    for place in (folder, logs):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "log4j2.properties"
    escaped = json.dumps(str(logs))[1:-1]  # as in Java's properties, which are no UTF-8
    file.write_text(LOG4J.format(folder=escaped), encoding="ascii")
    return file
