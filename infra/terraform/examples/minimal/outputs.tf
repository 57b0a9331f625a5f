output "login_command" {
  description = "First, once on each laptop."
  value       = module.pawpetal.login_command
}

output "run_command" {
  description = "Then this, with --dataset added."
  value       = module.pawpetal.run_command
}
