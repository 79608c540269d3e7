SELECT '' AS kind, 0::Int64 AS id, ''::Nullable(String) AS name, ''::Nullable(String) AS detail
FROM speed_refreshes WHERE false
UNION ALL
SELECT kind, id, name, detail
FROM speed_names
WHERE refresh = (SELECT max(refresh) FROM speed_refreshes WHERE publication = (SELECT max(publication) FROM publications))
