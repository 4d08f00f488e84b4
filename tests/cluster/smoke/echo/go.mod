module qmo.test/cluster/echo

go 1.26.0
