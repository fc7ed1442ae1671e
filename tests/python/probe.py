"""Health and reflection with grpcio, as an anonymous caller."""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

port, ca = sys.argv[1:]
with open(ca, "rb") as file:
    channel = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(file.read()))
health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
assert health.status == health_pb2.HealthCheckResponse.SERVING
asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
answer = next(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(asked))
names = {service.name for service in answer.list_services_response.service}
wanted = {f"octroi.v1.{name}Service" for name in ["Dataset", "Principal", "Access", "Object", "Evidence"]}
assert wanted <= names, names
assert not any(name.startswith("octroi.keys") for name in names), names
print("all seen")
