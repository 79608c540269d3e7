"""The embedded stack: PostgreSQL and SeaweedFS as processes under RAINBOW_HOME. No Dagster.

lifecycle     up, down, status: what the command line calls
postgres      the PostgreSQL server            databases    its roles and databases
seaweedfs     the S3 server                    buckets      its buckets
processes     processes by their command line  ports        free ports and ports in use
account       the ordinary user that PostgreSQL wants when root calls
credentials   the generated passwords          environment  what `dagster` and the shell need
"""
