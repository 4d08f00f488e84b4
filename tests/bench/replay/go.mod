module qmo.test/bench/replay

go 1.26.0
