module millrace/bench

go 1.22
