"""Each solver on each instance and seed; prints each gap, then the mean gap by solver and size.

Distances are those of DIMACS: Euclidean, truncated to one decimal. Every answer is re-checked here.
"""

import argparse
import csv
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

BEST = json.load(open("../shared/data/vrptw/best_known_distance_dimacs.json"))
INSTANCES = [
    "C102", "R104", "RC206", "C2_2_2", "R1_2_3", "RC2_2_1",
    "C1_4_2", "R2_4_2", "RC1_4_3", "C2_10_3", "R1_10_2", "RC2_10_2",
]  # fmt: skip


def read(path):
    lines = [line.split() for line in open(path)]
    head = next(i for i, line in enumerate(lines) if line[:1] == ["NUMBER"])
    vehicles, capacity = map(int, lines[head + 1])
    rows = [list(map(float, line)) for line in lines[head + 3 :] if len(line) == 7 and line[0].isdigit()]
    matrix = [[int(math.hypot(a[1] - b[1], a[2] - b[2]) * 10) for b in rows] for a in rows]
    return vehicles, capacity, rows, matrix


def checked(instance, routes):
    """The distance, or None when a customer is missing or a promise is broken."""
    vehicles, capacity, rows, matrix = instance
    total, seen = 0, []
    for route in routes:
        now = place = load = 0
        for customer in [*route, 0]:
            now = max(now + matrix[place][customer], rows[customer][4] * 10)
            if now > rows[customer][5] * 10:
                return None
            total, now, load = total + matrix[place][customer], now + rows[customer][6] * 10, load + rows[customer][3]
            place = customer
        if load > capacity:
            return None
        seen += route
    complete = sorted(seen) == list(range(1, len(rows))) and len(routes) <= vehicles
    return total / 10 if complete else None


def dispatch(instance, path, seed, seconds):
    command = [ARGUMENTS.binary, "solve", path, "--seconds", str(seconds), "--seed", str(seed), "--threads", "1", "--json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["routes"]


def pyvrp(instance, path, seed, seconds):
    import pyvrp
    import pyvrp.stop

    vehicles, capacity, rows, matrix = instance
    model = pyvrp.Model()
    places = [model.add_location(x=0, y=0) for _ in rows]
    model.add_depot(places[0])
    model.add_vehicle_type(
        num_available=vehicles, capacity=capacity, tw_early=int(rows[0][4] * 10), tw_late=int(rows[0][5] * 10)
    )
    for place, r in zip(places[1:], rows[1:]):
        model.add_client(
            place, delivery=int(r[3]), service_duration=int(r[6] * 10), tw_early=int(r[4] * 10), tw_late=int(r[5] * 10)
        )
    for i, a in enumerate(places):
        for j, b in enumerate(places):
            if i != j:
                model.add_edge(a, b, distance=matrix[i][j], duration=matrix[i][j])
    result = model.solve(stop=pyvrp.stop.MaxRuntime(seconds), seed=seed, display=False)
    routes = [[stop.idx + 1 for stop in route if stop.is_client()] for route in result.best.routes()]
    return routes if result.best.is_feasible() else []


def ortools(instance, path, seed, seconds):
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    vehicles, capacity, rows, matrix = instance
    manager = pywrapcp.RoutingIndexManager(len(rows), vehicles, 0)
    routing = pywrapcp.RoutingModel(manager)
    node = manager.IndexToNode
    travel = routing.RegisterTransitCallback(lambda a, b: matrix[node(a)][node(b)])
    routing.SetArcCostEvaluatorOfAllVehicles(travel)
    leaving = routing.RegisterTransitCallback(lambda a, b: matrix[node(a)][node(b)] + int(rows[node(a)][6] * 10))
    demand = routing.RegisterUnaryTransitCallback(lambda a: int(rows[node(a)][3]))
    horizon = int(rows[0][5] * 10)
    routing.AddDimension(leaving, horizon, horizon, False, "time")
    routing.AddDimension(demand, 0, capacity, True, "load")
    time_dimension = routing.GetDimensionOrDie("time")
    for customer in range(1, len(rows)):
        cumulative = time_dimension.CumulVar(manager.NodeToIndex(customer))
        cumulative.SetRange(int(rows[customer][4] * 10), int(rows[customer][5] * 10))
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    parameters.time_limit.FromMilliseconds(int(seconds * 1000))
    solution = routing.SolveWithParameters(parameters)
    routes = []
    for vehicle in range(vehicles) if solution else []:
        index, route = routing.Start(vehicle), []
        while not routing.IsEnd(index):
            route.append(node(index))
            index = solution.Value(routing.NextVar(index))
        routes += [route[1:]] if len(route) > 1 else []
    return routes


def vroom(instance, path, seed, seconds):
    import datetime

    import vroom

    vehicles, capacity, rows, matrix = instance
    problem = vroom.Input()
    problem.set_durations_matrix(profile="car", matrix_input=matrix)
    window = [int(rows[0][4] * 10), int(rows[0][5] * 10)]
    problem.add_vehicle(
        [vroom.Vehicle(i, start=0, end=0, capacity=[capacity], time_window=window) for i in range(vehicles)]
    )
    problem.add_job(
        [
            vroom.Job(
                i, location=i, delivery=[int(r[3])], default_service=int(r[6] * 10),
                time_windows=[vroom.TimeWindow(int(r[4] * 10), int(r[5] * 10))],
            )
            for i, r in enumerate(rows) if i
        ]
    )  # fmt: skip
    solution = problem.solve(exploration_level=5, nb_threads=1, timeout=datetime.timedelta(seconds=seconds))
    steps = solution.routes[solution.routes["type"] == "job"]
    return [list(map(int, group["id"])) for _, group in steps.groupby("vehicle_id")]


SOLVERS = {"dispatch": dispatch, "pyvrp": pyvrp, "ortools": ortools, "vroom": vroom}
SEEDLESS = ("ortools", "vroom")


def parse():
    parser = argparse.ArgumentParser(prog="dispatch/benches/peers/run.sh", description=__doc__)
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--results", type=pathlib.Path, required=True, help="CSV; what is there is not run again")
    parser.add_argument("--seconds", type=float, default=30.0, help="limit of each run (default 30)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 1 to this, for solvers that have one (default 3)")
    parser.add_argument("--solvers", default=",".join(SOLVERS), help="which, with commas between")
    parser.add_argument("instances", nargs="*", default=INSTANCES, help="names; default: the twelve")
    return parser.parse_args()


def run(solver, name, seed):
    path = next(ARGUMENTS.data.rglob(name + ".txt"))
    instance = read(path)
    before = time.monotonic(), sum(os.times()[:4])
    try:
        distance = checked(instance, SOLVERS[solver](instance, str(path), seed, ARGUMENTS.seconds))
    except Exception as error:
        print(f"{solver} {name}: {error!r}", file=sys.stderr)
        distance = None
    return distance or "", round(time.monotonic() - before[0], 2), round(sum(os.times()[:4]) - before[1], 2)


def main():
    results = ARGUMENTS.results
    done = {tuple(row[:4]): row[4:] for row in csv.reader(open(results))} if results.exists() else {}
    gaps = {}
    for name in ARGUMENTS.instances:
        for solver in ARGUMENTS.solvers.split(","):
            for seed in range(1, 2 if solver in SEEDLESS else ARGUMENTS.seeds + 1):
                key = (solver, name, str(seed), str(ARGUMENTS.seconds))
                if key not in done:
                    done[key] = run(solver, name, seed)
                    with open(results, "a", newline="") as file:
                        csv.writer(file).writerow([*key, *done[key]])
                distance, wall, cpu = done[key]
                gap = 100 * (float(distance) / BEST[name] - 1) if distance else None
                gaps.setdefault((solver, len(read(next(ARGUMENTS.data.rglob(name + ".txt")))[2]) - 1), []).append(gap)
                shown = f"{gap:6.2f} %" if distance else "nothing feasible"
                print(f"{name:9} {solver:9} seed {seed} {shown}  {wall} s, {cpu} CPU-s", flush=True)
    for (solver, size), found in sorted(gaps.items(), key=lambda item: (item[0][1], item[0][0])):
        feasible = [gap for gap in found if gap is not None]
        mean = f"{statistics.mean(feasible):.2f} %" if feasible else "-"
        print(f"{size:5} customers {solver:9} mean {mean}, {len(feasible)} of {len(found)} runs feasible")


ARGUMENTS = parse()
main()
