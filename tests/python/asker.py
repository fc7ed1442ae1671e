"""A researcher's way with grpcio: a question answered, one refused at once, one that may not be told."""

import sys

import grpc
from octroi.v1 import query_pb2, query_pb2_grpc

port, ca, certificate, key = sys.argv[1:]


def read(path):
    with open(path, "rb") as file:
        return file.read()


credentials = grpc.ssl_channel_credentials(read(ca), read(key), read(certificate))
channel = grpc.secure_channel(f"localhost:{port}", credentials)
queries = query_pb2_grpc.QueryServiceStub(channel)


def ask(sql, **more):
    return queries.Ask(query_pb2.AskRequest(datasets=["energie"], purpose="research", sql=sql, **more), timeout=60)


answer = ask("SELECT district, COUNT(*) AS n FROM meters GROUP BY district ORDER BY district")
assert answer.verdict == query_pb2.VERDICT_RELEASED, answer
rows = [(row.values[0].string, row.values[1].integer) for row in answer.table.rows]
assert rows == [("centre", 80), ("nord", 60)], rows
size = answer.ByteSize()
assert size >= 4096 and size & (size - 1) == 0, size
assert len(answer.receipt.query_key) == 32 and answer.receipt.proof.checkpoint

for sql in ["SELEC", "SELECT household FROM meters", "SELECT COUNT(*) FROM absent"]:
    try:
        ask(sql)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, (error.code(), error.details())
    else:
        raise AssertionError(sql)

print("all seen")
